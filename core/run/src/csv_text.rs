//! Tables of a run as CSV text: RFC 4180 with line feeds alone, numbers with six decimals.

use xbench_record::StoreError;
use xbench_record::table::number;

use crate::summary::Estimate;

/// A table under way.
pub(crate) struct CsvText {
    writer: csv::Writer<Vec<u8>>,
}

impl CsvText {
    /// With a header, its names separated by commas.
    pub(crate) fn new(header: &str) -> Result<Self, StoreError> {
        let mut text = Self {
            writer: csv::Writer::from_writer(Vec::new()),
        };
        text.push(header.split(','))?;
        Ok(text)
    }

    /// Adds a row of as many fields as the header has.
    pub(crate) fn push<I: AsRef<[u8]>>(
        &mut self,
        fields: impl IntoIterator<Item = I>,
    ) -> Result<(), StoreError> {
        self.writer.write_record(fields).map_err(inconsistent)
    }

    /// The table.
    pub(crate) fn finish(self) -> Result<String, StoreError> {
        let bytes = self.writer.into_inner().map_err(inconsistent)?;
        String::from_utf8(bytes).map_err(inconsistent)
    }
}

/// `value,low,high,n` of an estimate; empty fields and 0 where there is none.
pub(crate) fn estimate(value: Option<Estimate>) -> Result<[String; 4], StoreError> {
    let field = |of: fn(&Estimate) -> f64| value.as_ref().map(of).map_or(Ok(String::new()), number);
    // A single value has no interval.
    let several = value.as_ref().filter(|value| value.n > 1);
    let end = |of: fn(&Estimate) -> f64| several.map(of).map_or(Ok(String::new()), number);
    Ok([
        field(|value| value.value)?,
        end(|value| value.low)?,
        end(|value| value.high)?,
        value.map_or(0, |value| value.n).to_string(),
    ])
}

fn inconsistent(error: impl std::fmt::Display) -> StoreError {
    StoreError::Inconsistent {
        what: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut text = CsvText::new("name,value,low,high,n").unwrap();
        let measured = Estimate {
            value: 0.5,
            low: 1.0 / 3.0,
            high: 1.0,
            n: 7,
        };
        for (name, value) in [("a, b", Some(measured)), ("c", None)] {
            let row = [vec![name.to_owned()], estimate(value).unwrap().to_vec()].concat();
            text.push(row).unwrap();
        }
        let expected = "name,value,low,high,n\n\"a, b\",0.5,0.333333,1,7\nc,,,,0\n";
        assert_eq!(text.finish().unwrap(), expected);
        assert!(CsvText::new("a,b").unwrap().push(["1"]).is_err());
    }
}
