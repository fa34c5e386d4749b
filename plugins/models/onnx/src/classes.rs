//! Which of the network's outputs is which class of the data.

use std::collections::{HashMap, HashSet};

use xbench_plugin::{Error, Result};

use crate::params::OnnxParams;
use crate::read::printable;

/// For each class of the data, its place among the network's `outputs`; nothing when the orders are
/// the same.
///
/// # Errors
/// With the names, when there are not as many names as outputs, or the network and the data know
/// different classes.
pub(crate) fn order(params: &OnnxParams, outputs: usize) -> Result<Option<Vec<usize>>> {
    if params.classes.is_empty() {
        return Ok(None);
    }
    if params.classes.len() != outputs {
        return Err(Error::invalid_argument(format!(
            "parameter `classes` has {} names ({}), but the model has {outputs} outputs",
            params.classes.len(),
            list(params.classes.iter())
        )));
    }
    if params.data_classes.is_empty() {
        return Err(Error::invalid_argument(
            "parameter `classes` is given, but `data_classes` is not: name the data's classes too",
        ));
    }
    if params.data_classes.len() != params.outputs {
        return Err(Error::invalid_argument(format!(
            "parameter `data_classes` has {} names ({}), but the data have {} classes",
            params.data_classes.len(),
            list(params.data_classes.iter()),
            params.outputs
        )));
    }
    let places: HashMap<&str, usize> = params
        .classes
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let wanted: HashSet<&str> = params.data_classes.iter().map(String::as_str).collect();
    if places.len() != params.classes.len() || wanted.len() != params.data_classes.len() {
        return Err(Error::invalid_argument(
            "parameters `classes` and `data_classes`: a name stands twice",
        ));
    }
    let unknown: Vec<&String> = params
        .data_classes
        .iter()
        .filter(|name| !places.contains_key(name.as_str()))
        .collect();
    let unused: Vec<&String> = params
        .classes
        .iter()
        .filter(|name| !wanted.contains(name.as_str()))
        .collect();
    if !unknown.is_empty() || !unused.is_empty() {
        return Err(Error::invalid_argument(format!(
            "the model and the data know different classes; only the data: {}; only the model's \
             `classes`: {}",
            list(unknown.into_iter()),
            list(unused.into_iter())
        )));
    }
    let order: Vec<usize> = params
        .data_classes
        .iter()
        .map(|name| places[name.as_str()])
        .collect();
    Ok((!order.is_sorted()).then_some(order))
}

/// Some of the names, for a message.
fn list<'n>(names: impl ExactSizeIterator<Item = &'n String>) -> String {
    let count = names.len();
    let mut shown: Vec<String> = names.take(12).map(|name| printable(name)).collect();
    match count {
        0 => return "none".to_owned(),
        13.. => shown.push(format!("and {} more", count - 12)),
        _ => {}
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xbench_plugin::Params as _;

    fn of(classes: &str, data: &str, outputs: usize) -> Result<Option<Vec<usize>>> {
        let json = format!(r#"{{"outputs": 3, "classes": {classes}, "data_classes": {data}}}"#);
        order(&OnnxParams::parse(&json).unwrap(), outputs)
    }

    #[test]
    fn outputs_are_found_by_name() {
        let data = r#"["bag", "boot", "coat"]"#;
        assert_eq!(of("[]", "[]", 3).unwrap(), None);
        assert_eq!(of(data, data, 3).unwrap(), None);
        let order = of(r#"["coat", "bag", "boot"]"#, data, 3).unwrap();
        assert_eq!(order, Some(vec![1, 2, 0]));
    }

    #[test]
    fn mistakes_are_told_with_the_names() {
        let data = r#"["bag", "boot", "coat"]"#;
        let text = |classes: &str, data: &str, outputs| {
            of(classes, data, outputs).unwrap_err().message().to_owned()
        };
        assert!(text(r#"["bag", "boot"]"#, data, 3).contains("2 names (bag, boot)"));
        let wrong = text(r#"["bag", "boat", "coat"]"#, data, 3);
        assert!(
            wrong.contains("only the data: boot") && wrong.contains("`classes`: boat"),
            "{wrong}"
        );
        assert!(text(data, "[]", 3).contains("data_classes"));
        assert!(text(data, r#"["bag"]"#, 3).contains("3 classes"));
        assert!(text(r#"["bag", "bag", "coat"]"#, data, 3).contains("twice"));
    }
}
