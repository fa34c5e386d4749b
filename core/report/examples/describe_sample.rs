//! Describes a set and writes its pictures, to look at them:
//! `cargo run --release -p xbench-report --example describe_sample -- fashion-mnist pictures`.

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;

use xbench_data::{Locate, load};
use xbench_describe::{Options, describe, tables};
use xbench_report::{Style, describe_pictures, describe_text, encode_png};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let set = arguments.next().unwrap_or_else(|| "garments".to_owned());
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| "describe".to_owned()));
    let set = load(&set.parse()?, &Locate::from_environment())?;
    let description = describe(&set, &Options::default(), &|_| {});
    std::fs::create_dir_all(&folder)?;
    for picture in describe_pictures(&description)? {
        let path = folder.join(format!("{}.png", picture.name));
        std::fs::write(path, encode_png(&picture.image)?)?;
    }
    for table in tables(&description) {
        std::fs::write(folder.join(format!("{}.csv", table.name)), table.text)?;
    }
    let text = describe_text(&description, &Style::plain(100));
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
