//! Files that are not what they should be: each gives an error that names the file, the
//! place in it, what was expected and found, and a remedy.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use xbench_data::DataError;
use xbench_data::idx::{MAX_CONTENT, check_counts, read_images, read_labels};

fn header(dimensions: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    for size in dimensions {
        bytes.extend(size.to_be_bytes());
    }
    bytes
}

fn images(count: u32, content: usize) -> Vec<u8> {
    let mut bytes = header(&[count, 4, 3]);
    bytes.extend((0..content).map(|i| (i % 251) as u8));
    bytes
}

fn labels(values: &[u8]) -> Vec<u8> {
    let mut bytes = header(&[values.len() as u32]);
    bytes.extend(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn write(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("some-file");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Writes the bytes, reads them as images, and gives the error's parts.
fn refused(bytes: &[u8]) -> (&'static str, u64, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, bytes);
    parts(&path, read_images(&path, None).unwrap_err())
}

fn parts(file: &Path, error: DataError) -> (&'static str, u64, String, String) {
    let text = error.to_string();
    assert!(text.contains(&file.display().to_string()), "{text}");
    assert!(text.contains("remedy: "), "{text}");
    match error {
        DataError::Malformed {
            field,
            offset,
            expected,
            found,
            ..
        } => (field, offset, expected, found),
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_and_gzip_files_are_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = images(5, 60);
    let plain = read_images(&write(&folder, &bytes), Some([4, 3])).unwrap();
    let packed = read_images(&write(&folder, &gzip(&bytes)), Some([4, 3])).unwrap();
    assert_eq!(plain, packed);
    assert_eq!((plain.count, plain.height, plain.width), (5, 4, 3));
    assert_eq!(plain.pixels, bytes[16..]);
    let read = read_labels(&write(&folder, &gzip(&labels(&[0, 9, 3]))), Some(10)).unwrap();
    assert_eq!(read.values, [0, 9, 3]);
    let none = read_labels(&write(&folder, &labels(&[])), Some(10)).unwrap();
    assert!(none.values.is_empty());
}

#[test]
fn wrong_magic_type_and_number_of_dimensions() {
    let mut bytes = images(1, 12);
    bytes[0] = 0x89;
    let (field, offset, _, found) = refused(&bytes);
    assert_eq!(
        (field, offset, found.as_str()),
        ("magic number", 0, "0x8900")
    );

    let mut bytes = images(1, 12);
    bytes[2] = 0x0d;
    let (field, offset, expected, found) = refused(&bytes);
    assert_eq!((field, offset, found.as_str()), ("type code", 2, "0x0d"));
    assert!(expected.contains("0x08"));

    let (field, offset, expected, found) = refused(&labels(&[1, 2]));
    assert_eq!((field, offset), ("number of dimensions", 3));
    assert_eq!((expected.as_str(), found.as_str()), ("3", "1"));
}

#[test]
fn wrong_size_of_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, &images(1, 12));
    let (field, offset, expected, found) =
        parts(&path, read_images(&path, Some([28, 3])).unwrap_err());
    assert_eq!(
        (field, offset, expected.as_str(), found.as_str()),
        ("height", 8, "28", "4")
    );
    let (field, offset, ..) = parts(&path, read_images(&path, Some([4, 28])).unwrap_err());
    assert_eq!((field, offset), ("width", 12));
}

#[test]
fn truncated_at_every_place() {
    let whole = images(2, 24);
    for length in 0..whole.len() {
        for bytes in [whole[..length].to_vec(), gzip(&whole[..length])] {
            let (_, offset, _, found) = refused(&bytes);
            assert!(found.contains("truncated"), "{length}: {found}");
            assert_eq!(offset, length as u64, "where the content ends");
        }
    }
}

#[test]
fn a_truncated_gzip_stream_is_told_from_a_truncated_content() {
    let packed = gzip(&images(200, 2400));
    for length in [12, packed.len() / 2, packed.len() - 1] {
        let (.., found) = refused(&packed[..length]);
        assert!(found.contains("truncated gzip stream"), "{length}: {found}");
    }
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let packed = gzip(&images(200, 2400));
    let mut checksum = packed.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 1;
    let (.., found) = refused(&checksum);
    assert!(found.contains("damaged gzip stream"), "{found}");
    let mut garbage_behind = packed;
    garbage_behind.extend(b"garbage behind the stream");
    assert!(refused(&garbage_behind).3.contains("damaged gzip stream"));
}

#[test]
fn trailing_bytes_are_refused() {
    let bytes = images(2, 25);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let (field, offset, expected, found) = refused(&bytes);
        assert_eq!(
            (field, offset, found.as_str()),
            ("content", 40, "trailing bytes")
        );
        assert!(expected.contains("24 bytes"), "{expected}");
    }
}

#[test]
fn a_gzip_bomb_is_read_no_further_than_its_header_declares() {
    // 300 MB of zeros in a few hundred kilobytes, declared as one image of 12 pixels.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&header(&[1, 4, 3])).unwrap();
    let zeros = vec![0u8; 1 << 20];
    for _ in 0..300 {
        encoder.write_all(&zeros).unwrap();
    }
    let (field, offset, _, found) = refused(&encoder.finish().unwrap());
    assert_eq!(
        (field, offset, found.as_str()),
        ("content", 28, "trailing bytes")
    );
}

#[test]
fn a_header_that_promises_too_much_is_refused_before_anything_is_allocated() {
    let too_many = (MAX_CONTENT / 784 + 1) as u32;
    for sizes in [
        [u32::MAX; 3],
        [too_many, 28, 28],
        [0x8000_0000, 0x8000_0000, 8],
    ] {
        let (field, offset, expected, found) = refused(&header(&sizes));
        assert_eq!((field, offset), ("dimensions", 4));
        assert!(expected.contains(&MAX_CONTENT.to_string()), "{expected}");
        assert_eq!(found, format!("{} x {} x {}", sizes[0], sizes[1], sizes[2]));
    }
    // Within the cap, but not there: ends as truncated, not as an allocation.
    let (.., found) = refused(&header(&[600_000, 28, 28]));
    assert!(found.contains("truncated"), "{found}");
}

#[test]
fn the_first_label_out_of_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, &labels(&[0, 9, 10, 3, 255]));
    let (field, offset, expected, found) = parts(&path, read_labels(&path, Some(10)).unwrap_err());
    assert_eq!((field, offset, found.as_str()), ("label", 10, "10"));
    assert_eq!(expected, "a class below 10 for label 2");
    assert_eq!(read_labels(&path, None).unwrap().values.len(), 5);
}

#[test]
fn images_and_labels_must_be_as_many() {
    let (a, b) = (Path::new("images-file"), Path::new("labels-file"));
    assert!(check_counts((a, 3), (b, 3)).is_ok());
    let (field, offset, expected, found) = parts(b, check_counts((a, 3), (b, 4)).unwrap_err());
    assert_eq!((field, offset, found.as_str()), ("count", 4, "4"));
    assert!(expected.contains("3 labels") && expected.contains("images-file"));
}

#[test]
fn what_is_no_file_or_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = read_images(folder.path(), None).unwrap_err();
    assert!(matches!(error, DataError::NotAFile { .. }), "{error}");
    let missing = folder.path().join("missing");
    let error = read_images(&missing, None).unwrap_err();
    assert!(
        matches!(&error, DataError::Io { action: "open", .. }),
        "{error}"
    );
    assert!(error.to_string().contains("missing"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_without_permission_is_an_error_of_the_system() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, &images(1, 12));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    match (std::fs::File::open(&path), read_images(&path, None)) {
        // A superuser may read everything.
        (Ok(_), read) => assert!(read.is_ok()),
        (Err(_), read) => {
            let error = read.unwrap_err();
            assert!(matches!(error, DataError::Io { .. }), "{error}");
        }
    }
}
