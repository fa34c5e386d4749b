//! Tree SHAP as a plugin.

use std::ffi::CStr;

use xbench_plugin::{
    Batch, Context, Error, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::tree_shap::{Effect, TreeShap};

xbench_plugin::params! {
    /// Parameters of Tree SHAP.
    pub struct TreeShapParams {
        /// What takes the place of an unknown feature: the training weight below each question, or background rows.
        method: String = "path_dependent", ["path_dependent", "interventional"];
        /// Which part of the Shapley value: all, without interactions, or the halves of the interactions alone.
        effect: String = "total", ["total", "main", "interaction"];
        /// Number of a feature, from 0: its row of the SHAP interaction values instead, which adds up to
        /// its Shapley value (elsewhere half of what it does together with that feature, at its own
        /// place its main effect).
        interactions_with: Option<u32> = None;
    }
}

/// Tree SHAP (Lundberg et al. 2020): exact Shapley values of the features of a tree ensemble.
///
/// Signed, in units of the model's output, as the ensemble adds it up: logits of a booster,
/// probabilities of a forest. With `path_dependent`, what is unknown is averaged with the trees'
/// covers (the paper's Algorithm 2); with `interventional`, over the background rows of the training
/// split (the paper's independent Tree SHAP). The totals add up to the output less its expectation.
/// `main` and `interaction` split each total in two: the diagonal of the SHAP interaction values
/// (equation 7) and the sum of the rest of the feature's row. `interactions_with` asks for one row of
/// these values, so that as many explanations as there are features make the whole matrix; each
/// walks over the trees that ask for its feature only.
///
/// No row is predicted. The work grows with the edges of the trees times half the number of distinct
/// features on their paths, and with the background's rows where it is used.
#[derive(Clone, Copy, Debug)]
pub struct TreeShapExplainer {
    interventional: bool,
    effect: Effect,
}

impl Plugin for TreeShapExplainer {
    const META: Meta = Meta {
        id: c"org.xbench.tree-shap",
        name: c"Tree SHAP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"Lundberg, Erion, Chen et al.: From local explanations to global understanding \
with explainable AI for trees, 2020",
        summary: c"Exact Shapley values of a tree ensemble's features.",
        flags: Flags::ANY_THREAD
            .union(Flags::CONCURRENT)
            .union(Flags::WANTS_BACKGROUND),
        max_batch: 0,
    };
    type Params = TreeShapParams;

    fn create(params: TreeShapParams, _ctx: &Context<'_>) -> Result<Self> {
        let effect = match (params.effect.as_str(), params.interactions_with) {
            ("total", Some(feature)) => Effect::With(feature as usize),
            (_, Some(_)) => {
                return Err(Error::invalid_argument(format!(
                    "`interactions_with` and `effect: {}` ask for two things; leave one out",
                    params.effect
                )));
            }
            ("main", None) => Effect::Main,
            ("interaction", None) => Effect::Interaction,
            (_, None) => Effect::Total,
        };
        Ok(Self {
            interventional: params.method == "interventional",
            effect,
        })
    }
}

impl Explainer for TreeShapExplainer {
    const NEEDS: &'static [&'static CStr] = &[capability::TREES];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let ensemble = model.trees(ctx)?;
        if batch.x.row_len() != ensemble.num_features {
            return Err(Error::invalid_argument(format!(
                "rows of {} values, but the model's trees have {} features",
                batch.x.row_len(),
                ensemble.num_features
            )));
        }
        let shap = if self.interventional {
            let background = batch.background.ok_or_else(|| {
                Error::invalid_argument(
                    "interventional Tree SHAP needs background rows: say how many in the suite \
                     (`background: 100`), or take `method: path_dependent`",
                )
            })?;
            TreeShap::interventional(&ensemble, background.data())?
        } else {
            TreeShap::path_dependent(&ensemble)?
        };
        let target = batch
            .target
            .iter()
            .map(|&target| {
                usize::try_from(target)
                    .map_err(|_| Error::invalid_argument(format!("the target {target} is below 0")))
            })
            .collect::<Result<Vec<usize>>>()?;
        shap.attribute(
            batch.x.data(),
            &target,
            self.effect,
            attribution,
            &mut |fraction| ctx.checkpoint(fraction),
        )
    }
}
