//! Layer-wise relevance propagation.

use std::ffi::CStr;

use xbench_plugin::{
    BackwardRule, Batch, Context, Explainer, Flags, Meta, ModelHandle, Plugin, Result, capability,
};

use crate::modified::modified_at_rows;

xbench_plugin::params! {
    /// Parameters of layer-wise relevance propagation.
    pub struct LrpParams {
        /// How relevance is shared out: in proportion to the contributions ("epsilon"), with positive
        /// weights counting more ("gamma") or alone ("zplus"), or "composite": epsilon in dense
        /// layers, zplus in convolutions.
        rule: String = "composite", ["epsilon", "gamma", "zplus", "composite"];
        /// Added to each denominator's size, where the rule is "epsilon" or "composite".
        epsilon: f32 = 1e-6, 0.0..=1e6;
        /// How much more positive weights count, where the rule is "gamma".
        gamma: f32 = 0.25, 0.0..=1e6;
    }
}

/// Layer-wise relevance propagation (Bach et al. 2015, section 2; the rules as in Montavon et al.
/// 2019, "Layer-Wise Relevance Propagation: An Overview", section 10.2).
///
/// Signed, in units of the output. With "zplus" the values sum to the output as far as every unit has
/// a positive contribution; with "epsilon" they do up to what biases and epsilon absorb. "epsilon" with
/// an epsilon of 0 is input times gradient on networks of ReLU and pooling (Ancona et al. 2018).
/// One forward and one backward row per row.
#[derive(Clone, Debug)]
pub struct Lrp {
    params: LrpParams,
}

impl Plugin for Lrp {
    const META: Meta = Meta {
        id: c"org.xbench.lrp",
        name: c"LRP",
        version: c"0.1.0",
        license: c"MIT OR Apache-2.0",
        citation: c"S. Bach, A. Binder, G. Montavon, F. Klauschen, K.-R. Müller, W. Samek, On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation, 2015",
        summary: c"The explained output, shared out over the units of each layer in proportion to what they contributed.",
        flags: Flags::ANY_THREAD.union(Flags::CONCURRENT),
        max_batch: 0,
    };
    type Params = LrpParams;

    fn create(params: LrpParams, _ctx: &Context<'_>) -> Result<Self> {
        Ok(Self { params })
    }
}

impl Explainer for Lrp {
    const NEEDS: &'static [&'static CStr] = &[capability::MODIFIED_VJP];

    fn explain(
        &self,
        ctx: &Context<'_>,
        model: &ModelHandle<'_>,
        batch: &Batch<'_>,
        attribution: &mut [f32],
    ) -> Result<()> {
        let LrpParams { epsilon, gamma, .. } = self.params;
        let rule = match self.params.rule.as_str() {
            "epsilon" => BackwardRule::LrpEpsilon { epsilon },
            "gamma" => BackwardRule::LrpGamma { gamma },
            "zplus" => BackwardRule::LrpZPlus,
            _ => BackwardRule::LrpComposite { epsilon },
        };
        modified_at_rows(ctx, model, batch, rule, attribution)
    }
}
