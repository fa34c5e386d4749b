//! A folder with a description and pictures, made for one test.

use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageFormat, Luma, Rgb, RgbImage};
use tempfile::TempDir;
use xbench_data::{DataSet, Locate, Result, SetRef, load};

/// A description of images in class folders beside it.
pub(crate) const IMAGES: &str = "name = \"mine\"\nkind = \"images\"\n[images]\nsize = 8\n";

pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new(description: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("set.toml"), description).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// `count` pictures of one class, each of its own tone.
    pub(crate) fn class(&self, name: &str, count: u8) -> &Self {
        for i in 0..count {
            self.write(&format!("{name}/{i}.png"), png(grey(10, 10, i)));
        }
        self
    }

    pub(crate) fn set(&self, options: &str) -> SetRef {
        let path: PathBuf = self.path().join("set.toml");
        format!("{}{options}", path.display()).parse().unwrap()
    }

    pub(crate) fn load_with(&self, options: &str) -> Result<DataSet> {
        load(&self.set(options), &Locate::offline())
    }

    pub(crate) fn load(&self) -> DataSet {
        self.load_with("").unwrap()
    }

    /// The error's text: it must name a place in the folder, or the set, and a remedy.
    pub(crate) fn refused_with(&self, options: &str) -> String {
        let text = self.load_with(options).unwrap_err().to_string();
        assert!(text.contains("remedy: "), "{text}");
        text
    }

    #[track_caller]
    pub(crate) fn refused(&self, needles: &[&str]) {
        let text = self.refused_with("");
        for needle in needles {
            assert!(text.contains(needle), "\"{needle}\" is not in: {text}");
        }
    }
}

pub(crate) fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(image, ImageFormat::Png)
}

pub(crate) fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn grey(width: u32, height: u32, value: u8) -> DynamicImage {
    image::GrayImage::from_pixel(width, height, Luma([value])).into()
}

/// Left half one colour, right half another.
pub(crate) fn halves(width: u32, height: u32, left: [u8; 3], right: [u8; 3]) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| {
        Rgb(if x < width / 2 { left } else { right })
    })
}
