//! Settings of a training: a preset, what replaces parts of it, and errors that list what there is.

use serde_json::{Map, Value};
use xbench_plugin::{Error, Params, Result};

/// Settings as they were understood.
#[derive(Clone, Debug)]
pub struct Settings<P> {
    /// The preset's name.
    pub preset: String,
    /// The values.
    pub values: P,
    /// The values as JSON, every field with its value.
    pub recipe: Value,
}

/// Reads a JSON object: `preset` names one of `presets`, each of which is a JSON object that replaces
/// defaults of `P`; further fields replace the preset's. `rounds`, the name of the field that counts
/// the steps, may also be called `epochs`.
///
/// # Errors
/// For an unknown preset or field, a wrong type, or a value out of range: with a list of the fields,
/// their defaults and ranges.
pub fn read<P: Params>(
    settings: &str,
    presets: &[(&str, &str)],
    rounds: &str,
) -> Result<Settings<P>> {
    let refuse = |why: String| {
        Error::invalid_argument(format!(
            "training settings: {why}; there are {}",
            fields::<P>(presets, rounds)
        ))
    };
    let object = |text: &str| -> Result<Map<String, Value>> {
        serde_json::from_str(text).map_err(|e| refuse(format!("not a JSON object ({e})")))
    };
    let mut given = object(settings)?;
    let name = match given.remove("preset") {
        None => presets.first().map_or("", |(name, _)| *name).to_owned(),
        Some(Value::String(name)) => name,
        Some(other) => return Err(refuse(format!("preset {other} is not a name"))),
    };
    let preset = presets
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| refuse(format!("no preset \"{name}\"")))?;
    if let Some(epochs) = given.remove("epochs")
        && given.insert(rounds.to_owned(), epochs).is_some()
    {
        return Err(refuse(format!("both epochs and {rounds} are given")));
    }
    let mut recipe = Map::new();
    for (name, field) in properties::<P>() {
        recipe.insert(name, field["default"].clone());
    }
    recipe.extend(object(preset.1)?);
    recipe.extend(given);
    let recipe = Value::Object(recipe);
    let values = P::parse(&recipe.to_string()).map_err(|e| refuse(e.message().to_owned()))?;
    Ok(Settings {
        preset: name,
        values,
        recipe,
    })
}

fn properties<P: Params>() -> Map<String, Value> {
    let schema: Value = serde_json::from_slice(P::SCHEMA.to_bytes()).unwrap_or_default();
    match schema.get("properties") {
        Some(Value::Object(properties)) => properties.clone(),
        _ => Map::new(),
    }
}

/// "preset (one or other), eta (0.3, 0 to 1), ...".
fn fields<P: Params>(presets: &[(&str, &str)], rounds: &str) -> String {
    let names: Vec<&str> = presets.iter().map(|(name, _)| *name).collect();
    let mut list = vec![format!("preset ({})", names.join(" or "))];
    for (name, field) in properties::<P>() {
        let mut text = format!("{name} (default {}", field["default"]);
        let range = field
            .get("anyOf")
            .and_then(|any| any.get(0))
            .unwrap_or(&field);
        if let (Some(low), Some(high)) = (range.get("minimum"), range.get("maximum")) {
            text += &format!(", {low} to {high}");
        }
        if let Some(Value::Array(choices)) = range.get("enum") {
            let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
            text += &format!(", {}", choices.join(" or "));
        }
        list.push(text + ")");
    }
    format!("{}; epochs is another name of {rounds}", list.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    xbench_plugin::params! {
        struct Sample {
            /// Steps.
            rounds: u32 = 10, 1..=100;
            depth: Option<u32> = None, 1..=8;
            weight: String = "none", ["none", "some"];
            seed: u64 = 0;
        }
    }

    const PRESETS: [(&str, &str); 2] = [("plain", "{}"), ("long", r#"{"rounds": 50}"#)];

    fn sample(text: &str) -> Result<Settings<Sample>> {
        read(text, &PRESETS, "rounds")
    }

    #[test]
    fn presets_replace_defaults_and_settings_replace_presets() {
        let read = sample(r#"{"preset": "long", "seed": 3}"#).unwrap();
        assert_eq!((read.values.rounds, read.values.seed), (50, 3));
        assert_eq!(read.preset, "long");
        assert_eq!(read.recipe["weight"], "none");
        assert_eq!(sample("{}").unwrap().values.rounds, 10);
        assert_eq!(sample(r#"{"epochs": 7}"#).unwrap().values.rounds, 7);
        let read = sample(r#"{"preset": "long", "rounds": 5, "depth": 2}"#).unwrap();
        assert_eq!((read.values.rounds, read.values.depth), (5, Some(2)));
    }

    #[test]
    fn mistakes_are_answered_with_what_there_is() {
        for text in [
            "",
            "[]",
            r#"{"preset": "short"}"#,
            r#"{"preset": 3}"#,
            r#"{"round": 3}"#,
            r#"{"rounds": 0}"#,
            r#"{"rounds": 1.5}"#,
            r#"{"rounds": "many"}"#,
            r#"{"depth": 9}"#,
            r#"{"weight": "all"}"#,
            r#"{"epochs": 3, "rounds": 4}"#,
        ] {
            let message = sample(text).unwrap_err().message().to_owned();
            for part in [
                "preset (plain or long)",
                "rounds (default 10, 1 to 100)",
                "depth (default null, 1 to 8)",
                "weight (default \"none\", \"none\" or \"some\")",
                "seed (default 0",
            ] {
                assert!(message.contains(part), "{text}: {message}");
            }
        }
    }
}
