//! Rows of a data set, as named on the command line.

use xbench_data::SetRef;

use crate::error::RunError;

/// Rows of a split.
#[derive(Debug, PartialEq)]
pub(super) struct Rows {
    pub(super) set: SetRef,
    pub(super) split: String,
    /// Their numbers in the order asked for; all where none are named.
    pub(super) numbers: Option<Vec<usize>>,
}

/// Most rows that can be named.
const MOST: usize = 1_000_000;

/// A data set as named on the command line.
pub(super) fn parse_set(text: &str) -> Result<SetRef, RunError> {
    text.parse()
        .map_err(|error: xbench_data::DataError| RunError::Flag(error.to_string()))
}

/// Reads `SET`, `SET:SPLIT`, `SET:SPLIT[a..b]` or `SET:SPLIT[a,b,c..d]`.
pub(super) fn parse_rows(text: &str) -> Result<Rows, RunError> {
    let wrong = || {
        RunError::Flag(format!(
            "cannot read rows '{text}'; write them like fashion-mnist:test[0..8] or \
             fetal-health:test[3,17]"
        ))
    };
    // Options in braces may hold brackets and colons of their own.
    let options_end = text.rfind('}').map_or(0, |end| end + 1);
    let (set, rest) = text.split_at(options_end);
    let (rest, numbers) = match rest.split_once('[') {
        None => (rest, None),
        Some((name, list)) => {
            let list = list.strip_suffix(']').ok_or_else(wrong)?;
            (name, Some(parse_numbers(list, text)?.ok_or_else(wrong)?))
        }
    };
    let (tail, split) = rest.split_once(':').unwrap_or((rest, "test"));
    let set = format!("{set}{tail}");
    if set.is_empty() || !["train", "validation", "test", "photos"].contains(&split) {
        return Err(wrong());
    }
    Ok(Rows {
        set: parse_set(&set)?,
        split: split.to_owned(),
        numbers,
    })
}

/// Numbers and ranges, separated by commas; nothing where they cannot be read.
fn parse_numbers(list: &str, text: &str) -> Result<Option<Vec<usize>>, RunError> {
    let mut numbers = Vec::new();
    for part in list.split(',') {
        let (low, high) = match part.split_once("..") {
            Some((low, high)) => (low, Some(high)),
            None => (part, None),
        };
        let Ok(low) = low.trim().parse::<usize>() else {
            return Ok(None);
        };
        let high = match high.map(|high| high.trim().parse::<usize>()) {
            Some(Ok(high)) => high,
            Some(Err(_)) => return Ok(None),
            None => low.saturating_add(1),
        };
        if low >= high {
            return Err(RunError::NothingSelected(format!(
                "'{text}' selects no rows"
            )));
        }
        if high - low > MOST - numbers.len() {
            return Err(RunError::Flag(format!(
                "'{text}' names more than {MOST} rows"
            )));
        }
        numbers.extend(low..high);
    }
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(RunError::Flag(format!(
            "'{text}' names row {} twice",
            twice[0]
        )));
    }
    Ok(Some(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Option<Vec<usize>> {
        parse_rows(text).unwrap().numbers
    }

    #[test]
    fn ranges_and_lists_are_read() {
        assert_eq!(numbers("garments"), None);
        assert_eq!(numbers("garments:train"), None);
        assert_eq!(numbers("garments:train[2..5]"), Some(vec![2, 3, 4]));
        assert_eq!(numbers("garments[17, 3]"), Some(vec![17, 3]));
        assert_eq!(numbers("a:test[9,0..2]"), Some(vec![9, 0, 1]));
        let rows = parse_rows("busi{classes: [benign, malignant]}:test[1]").unwrap();
        assert_eq!((rows.split.as_str(), rows.numbers), ("test", Some(vec![1])));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, told) in [
            ("a:test[", "cannot read rows"),
            ("a:test[]", "cannot read rows"),
            ("a:test[1,]", "cannot read rows"),
            ("a:test[x]", "cannot read rows"),
            ("a:test[-1]", "cannot read rows"),
            ("a:tets[1]", "cannot read rows"),
            (":test[1]", "cannot read rows"),
            ("a:test[3..3]", "selects no rows"),
            ("a:test[5..2]", "selects no rows"),
            ("a:test[1,0..3]", "names row 1 twice"),
            ("a:test[0..99999999]", "more than 1000000 rows"),
            ("a:test[18446744073709551615]", "selects no rows"),
        ] {
            let error = parse_rows(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
