//! What reaches into the networks: backward rules, the forward pass from a layer, biases.

use xbench_plugin::{BackwardRule, Context, Error, Pullback, Result, TensorRef, Wrt};

use super::{Host, error};
use crate::network::{Propagation, Rule};

/// Names of the rules that sequential networks can do.
pub(super) const RULES: [&str; 7] = [
    "guided",
    "deconvolution",
    "deeplift",
    "lrp_epsilon",
    "lrp_gamma",
    "lrp_zplus",
    "lrp_composite",
];

/// The rule as the networks know it.
pub(super) fn network_rule(rule: BackwardRule<'_>) -> Rule<'_> {
    let everywhere = |propagation| Rule::Lrp {
        convolution: propagation,
        dense: propagation,
    };
    match rule {
        BackwardRule::Guided => Rule::Guided,
        BackwardRule::Deconvolution => Rule::Deconvolution,
        BackwardRule::DeepLift { reference } => Rule::DeepLift {
            reference: reference.data(),
        },
        BackwardRule::LrpEpsilon { epsilon } => everywhere(Propagation::Epsilon(epsilon)),
        BackwardRule::LrpGamma { gamma } => everywhere(Propagation::Gamma(gamma)),
        BackwardRule::LrpZPlus => everywhere(Propagation::ZPlus),
        BackwardRule::LrpComposite { epsilon } => Rule::Lrp {
            convolution: Propagation::ZPlus,
            dense: Propagation::Epsilon(epsilon),
        },
    }
}

impl Host {
    pub(super) fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        let layer = match wrt {
            Wrt::Input => None,
            Wrt::Layer(name) => Some(name),
        };
        let pullback = self
            .network
            .modified_vjp(
                &*self.pool.threads(ctx)?,
                x.data(),
                (None, output_gradient.data()),
                network_rule(rule),
                layer,
                want_activation,
            )
            .map_err(error)?;
        let shaped = |data| self.shaped(x.rows(), layer, data);
        Ok(Pullback {
            activation: pullback.activation.map(shaped).transpose()?,
            gradient: shaped(pullback.gradient)?,
        })
    }

    pub(super) fn forward_from(
        &self,
        ctx: &Context<'_>,
        layer: &str,
        value: TensorRef<'_>,
        outputs: &mut [f32],
    ) -> Result<()> {
        if self.layers.last().is_some_and(|last| last.name == layer) {
            return Err(Error::unimplemented(format!(
                "layer '{layer}' is the output; nothing comes behind it"
            )));
        }
        self.network
            .logits_from(&*self.pool.threads(ctx)?, layer, value.data(), outputs)
            .map_err(error)
    }

    pub(super) fn biases(&self, layer: &str) -> Result<Option<Vec<f32>>> {
        let bias = self.network.biases(layer).map_err(error)?;
        Ok(bias.map(<[f32]>::to_vec))
    }
}
