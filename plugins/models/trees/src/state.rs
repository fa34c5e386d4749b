//! The state of an interrupted training as bytes: a mark, a JSON text, and the trees.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use xbench_plugin::{Error, Result, TreeEnsemble};

use crate::store;

const MARK: &[u8; 8] = b"XBTREES1";

/// The bytes of a state. `recipe` are the training's settings, `facts` what the trees do not tell.
///
/// # Errors
/// When they cannot be written.
pub fn save(recipe: &Value, facts: &impl Serialize, ensemble: &TreeEnsemble) -> Result<Vec<u8>> {
    let text = serde_json::to_vec(&(recipe, facts))
        .map_err(|e| Error::internal(format!("the state of the training: {e}")))?;
    let mut bytes = MARK.to_vec();
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
    bytes.extend(store::save(ensemble)?);
    Ok(bytes)
}

/// What [`save`] was given.
///
/// # Errors
/// When the bytes are no such state, or one of a training with other settings.
pub fn load<T: DeserializeOwned>(bytes: &[u8], recipe: &Value) -> Result<(T, TreeEnsemble)> {
    let wrong = |what: &str| {
        Error::invalid_argument(format!(
            "the kept state of a training: {what}; train from the start"
        ))
    };
    let rest = bytes
        .strip_prefix(MARK)
        .ok_or_else(|| wrong("it is none of this model"))?;
    let (length, rest) = rest.split_first_chunk().ok_or_else(|| wrong("it is cut"))?;
    let (text, trees) = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .and_then(|length| rest.split_at_checked(length))
        .ok_or_else(|| wrong("it is cut"))?;
    let (its_recipe, facts): (Value, T) =
        serde_json::from_slice(text).map_err(|_| wrong("it is damaged"))?;
    if its_recipe != *recipe {
        return Err(wrong("it is of other settings"));
    }
    Ok((facts, store::load(trees)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;
    use serde_json::json;

    #[test]
    fn states_come_back_and_strangers_are_refused() {
        let ensemble = tree::empty(3, vec![0.5], true);
        let recipe = json!({"rounds": 3, "eta": 0.3});
        let bytes = save(&recipe, &vec![0.1f64, 2.5], &ensemble).unwrap();
        let (facts, trees): (Vec<f64>, _) = load(&bytes, &recipe).unwrap();
        assert_eq!((facts, trees), (vec![0.1, 2.5], ensemble));
        assert!(load::<Vec<f64>>(&bytes, &json!({"rounds": 4})).is_err());
        assert!(load::<Vec<String>>(&bytes, &recipe).is_err());
        for cut in 0..bytes.len() {
            assert!(load::<Vec<f64>>(&bytes[..cut], &recipe).is_err());
        }
        let mut huge = bytes.clone();
        huge[8..16].fill(0xff);
        assert!(load::<Vec<f64>>(&huge, &recipe).is_err());
    }
}
