//! Loads a set, tells what is in it and how long it took, and lists rows that stand in two
//! splits:
//!
//! `cargo run --release -p xbench-data --example load_set -- 'busi{division: study}'`

use std::error::Error;
use std::io::Write as _;
use std::time::Instant;

use xbench_data::{
    Locate, Masks, NEAR_DUPLICATE, Part, SetRef, Splits, duplicates, load, near_duplicates,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let set: SetRef = arguments.next().ok_or("name a data set")?.parse()?;
    let splits = match arguments.next().as_deref() {
        Some("photos") => Splits::PhotosOnly,
        Some("test") => Splits::TestOnly,
        _ => Splits::All,
    };
    let threshold = match arguments.next() {
        Some(text) => text.parse()?,
        None => NEAR_DUPLICATE,
    };
    let locate = Locate {
        splits,
        ..Locate::from_environment()
    };
    let start = Instant::now();
    let set = load(&set, &locate)?;
    let took = start.elapsed();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{} {}", set.id, set.content_hash_hex())?;
    writeln!(out, "{:?} from {}, {took:.2?}", set.shape, set.origin)?;
    for part in Part::ALL {
        let split = set.part(part);
        let masks = match &split.masks {
            Masks::None => "no masks".to_owned(),
            Masks::Exact(_) => "a mask each".to_owned(),
            Masks::Partial { present, .. } => {
                format!("{} masks", present.iter().filter(|p| **p).count())
            }
            Masks::Rule => "masks by rule".to_owned(),
        };
        let counts = split.class_counts(set.classes.len());
        writeln!(out, "{part}: {} {counts:?}, {masks}", split.len())?;
    }
    for note in &set.notes {
        writeln!(out, "note: {note}")?;
    }
    let start = Instant::now();
    let (exact, near) = (duplicates(&set), near_duplicates(&set, threshold));
    let took = start.elapsed();
    writeln!(
        out,
        "{} exact, {} near, {took:.2?}",
        exact.len(),
        near.len()
    )?;
    for pair in near.iter().take(40) {
        let name = |(part, row): (Part, usize)| {
            let names = &set.part(part).names;
            names.get(row).map_or(row.to_string(), String::clone)
        };
        writeln!(
            out,
            "{:.4} {} {} | {} {}",
            pair.similarity,
            pair.copy.0,
            name(pair.copy),
            pair.original.0,
            name(pair.original)
        )?;
    }
    Ok(())
}
