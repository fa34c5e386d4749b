//! The options of a described set: what may differ from its description, and the id that
//! says so.

use serde_json::{Map, Value, json};

use super::document::{Class, Description, Division, Kind, Size};
use crate::digest::{hex, sha256};
use crate::error::{DataError, Result};

/// Longest id.
const MAX_ID: usize = 80;

/// The description with the options applied, and the id of that set: the name, and each
/// option that differs from the default.
pub(crate) fn apply(
    description: &Description,
    options: &Map<String, Value>,
) -> Result<(Description, String)> {
    let mut changed = description.clone();
    // The default classes are those in use before any option.
    if let Kind::Images(images) = &mut changed.kind {
        images.classes.retain(|class| class.default);
    }
    let default = changed.clone();
    // The division first: the seed belongs to it.
    let mut keys: Vec<&String> = options.keys().collect();
    keys.sort_by_key(|key| (*key != "division", *key));
    for key in keys {
        set(description, &mut changed, key, &options[key])?;
    }
    let own = values(&changed);
    let before = values(&default);
    // A seed is that of its division: compared with that division's own.
    let differing = own
        .into_iter()
        .zip(before)
        .filter(|((key, own), (_, before))| {
            if *key == "seed" {
                let own_default = default.divisions.get(&changed.division);
                *own != own_default.map_or(Value::Null, seed)
            } else {
                own != before
            }
        });
    let differing: Vec<(&str, Value)> = differing.map(|(own, _)| own).collect();
    let id = id(&description.name, &differing);
    Ok((changed, id))
}

fn seed(division: &Division) -> Value {
    match division {
        Division::Stratified { seed, .. } => json!(seed),
        Division::Lists { .. } => Value::Null,
    }
}

/// Every option with its value; null where the set does not have it. Sorted by name.
fn values(description: &Description) -> Vec<(&'static str, Value)> {
    let division = match &description.kind {
        Kind::Idx(_) => Value::Null,
        _ => json!(description.division),
    };
    let seed = description
        .divisions
        .get(&description.division)
        .map_or(Value::Null, seed);
    let (mut classes, mut colour, mut fit, mut size) =
        (Value::Null, Value::Null, Value::Null, Value::Null);
    let mut features = Value::Null;
    match &description.kind {
        Kind::Images(images) => {
            let names: Vec<&str> = images.classes.iter().map(|c| c.name.as_str()).collect();
            classes = json!(names);
            colour = json!(images.colour);
            fit = json!(images.fit);
            size = match images.size {
                [h, w] if h == w => json!(h),
                sides => json!(sides),
            };
        }
        Kind::Table(table) => features = json!(table.features),
        Kind::Idx(_) => {}
    }
    vec![
        ("classes", classes),
        ("colour", colour),
        ("division", division),
        ("features", features),
        ("fit", fit),
        ("seed", seed),
        ("size", size),
    ]
}

/// The options a set has, with their defaults, for messages.
fn offered(description: &Description) -> String {
    let mut text: Vec<String> = values(description)
        .into_iter()
        .filter(|(key, value)| {
            let table = matches!(description.kind, Kind::Table(_));
            !value.is_null() || (*key == "features" && table)
        })
        .map(|(key, value)| format!("{key} (default {value})"))
        .collect();
    if text.is_empty() {
        text.push("none".to_owned());
    }
    text.join(", ")
}

fn set(
    description: &Description,
    changed: &mut Description,
    key: &str,
    value: &Value,
) -> Result<()> {
    let refuse = |reason: String| DataError::Option {
        id: description.name.clone(),
        reason,
        remedy: format!("its options are: {}", offered(description)),
    };
    let wrong = |what: &str| refuse(format!("{key}: {value} is not {what}"));
    match (key, &mut changed.kind) {
        ("division", Kind::Images(_) | Kind::Table(_)) => {
            let names: Vec<&str> = description.divisions.keys().map(String::as_str).collect();
            let known = value.as_str().filter(|name| names.contains(name));
            changed.division = known
                .ok_or_else(|| wrong(&format!("a division; there are: {}", names.join(", "))))?
                .to_owned();
        }
        ("seed", Kind::Images(_) | Kind::Table(_)) => {
            let new = value.as_u64().ok_or_else(|| wrong("a whole number"))?;
            match changed.divisions.get_mut(&changed.division) {
                Some(Division::Stratified { seed, .. }) => *seed = new,
                _ => {
                    return Err(refuse(format!(
                        "seed: the division \"{}\" is by lists and has none",
                        changed.division
                    )));
                }
            }
        }
        ("size", Kind::Images(images)) => {
            let size: Size = serde_json::from_value(value.clone())
                .map_err(|_| wrong("a number of pixels, as in 64, or [height, width]"))?;
            images.size = size
                .sides()
                .map_err(|reason| refuse(format!("size: {reason}")))?;
        }
        ("fit", Kind::Images(images)) => {
            images.fit =
                serde_json::from_value(value.clone()).map_err(|_| wrong("stretch, pad or crop"))?;
        }
        ("colour", Kind::Images(images)) => {
            images.colour =
                serde_json::from_value(value.clone()).map_err(|_| wrong("grey or rgb"))?;
        }
        ("classes", Kind::Images(images)) => {
            let Kind::Images(described) = &description.kind else {
                return Ok(());
            };
            images.classes = chosen(&described.classes, value).map_err(refuse)?;
        }
        ("features", Kind::Table(table)) => {
            let names: Vec<String> = serde_json::from_value(value.clone())
                .map_err(|_| wrong("a list of column names"))?;
            table.features = Some(names);
        }
        _ => return Err(refuse(format!("it has no option \"{key}\""))),
    }
    Ok(())
}

/// The classes named, in this order.
fn chosen(described: &[Class], value: &Value) -> Result<Vec<Class>, String> {
    let names: Vec<String> = serde_json::from_value(value.clone())
        .map_err(|_| format!("classes: {value} is not a list of class names"))?;
    if names.is_empty() {
        return Err("classes: the list is empty".to_owned());
    }
    let mut classes: Vec<Class> = Vec::with_capacity(names.len());
    for name in names {
        let class = if described.is_empty() {
            return Err("classes: its description lists none to choose from".to_owned());
        } else {
            described
                .iter()
                .find(|class| class.name == name || class.folder == name)
        };
        let Some(class) = class else {
            let known: Vec<&str> = described.iter().map(|class| class.name.as_str()).collect();
            return Err(format!(
                "classes: there is no class \"{name}\"; there are: {}",
                known.join(", ")
            ));
        };
        if classes.contains(class) {
            return Err(format!("classes: \"{name}\" stands in the list twice"));
        }
        classes.push(class.clone());
    }
    Ok(classes)
}

/// `name_key-value_key-value`, path-safe; where that loses something, with a digest.
fn id(name: &str, differing: &[(&str, Value)]) -> String {
    if differing.is_empty() {
        return name.to_owned();
    }
    let mut id = name.to_owned();
    let mut exact = true;
    for (key, value) in differing {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(items) => {
                let items: Vec<String> = items
                    .iter()
                    .map(|item| match item {
                        Value::String(text) => text.clone(),
                        other => other.to_string(),
                    })
                    .collect();
                exact &= items.iter().all(|item| !item.contains('.'));
                items.join(".")
            }
            other => other.to_string(),
        };
        id.push('_');
        id.push_str(key);
        id.push('-');
        for c in text.chars() {
            let safe = c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
            exact &= safe;
            id.push(if safe { c } else { '-' });
        }
    }
    if exact && id.len() <= MAX_ID {
        return id;
    }
    let canonical: Vec<String> = differing
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let digest = hex(&sha256(canonical.join("\n").as_bytes()));
    // Every character is ASCII.
    id.truncate(MAX_ID - 9);
    format!("{id}-{}", &digest[..8])
}
