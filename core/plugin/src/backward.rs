//! Rules of a backward pass other than the chain rule.

use crate::tensor::TensorRef;

/// How a modified backward pass goes through the layers.
///
/// The first two change what ReLU passes on. DeepLIFT gives multipliers, which are to be multiplied
/// by the distance from the reference. The rules of layer-wise relevance propagation (LRP) give the
/// relevance itself, beginning with output gradient times output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BackwardRule<'a> {
    /// ReLU passes what is positive where its own value is (Springenberg et al. 2015).
    Guided,
    /// ReLU passes what is positive, whatever its own value (Zeiler and Fergus 2014).
    Deconvolution,
    /// DeepLIFT's rescale rule (Shrikumar et al. 2017): the multipliers of the differences from a
    /// reference, which is shaped as the input.
    DeepLift {
        /// `[n, input...]`.
        reference: TensorRef<'a>,
    },
    /// LRP-ε (Bach et al. 2015): ε, with the sign of the pre-activation, is added to each
    /// denominator.
    LrpEpsilon {
        /// At least 0.
        epsilon: f32,
    },
    /// LRP-γ (Montavon et al. 2019): positive weights count 1 + γ times.
    LrpGamma {
        /// At least 0.
        gamma: f32,
    },
    /// LRP-z⁺ (Montavon et al. 2017): positive weights alone.
    LrpZPlus,
    /// ε in dense layers, z⁺ in convolutions (Montavon et al. 2019).
    LrpComposite {
        /// At least 0.
        epsilon: f32,
    },
}

impl BackwardRule<'_> {
    /// Its name in the contract.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Guided => "guided",
            Self::Deconvolution => "deconvolution",
            Self::DeepLift { .. } => "deeplift",
            Self::LrpEpsilon { .. } => "lrp_epsilon",
            Self::LrpGamma { .. } => "lrp_gamma",
            Self::LrpZPlus => "lrp_zplus",
            Self::LrpComposite { .. } => "lrp_composite",
        }
    }

    /// Its ε or γ; 0 without one.
    #[must_use]
    pub fn parameter(&self) -> f64 {
        match *self {
            Self::LrpEpsilon { epsilon } | Self::LrpComposite { epsilon } => f64::from(epsilon),
            Self::LrpGamma { gamma } => f64::from(gamma),
            Self::Guided | Self::Deconvolution | Self::DeepLift { .. } | Self::LrpZPlus => 0.0,
        }
    }
}

impl<'a> BackwardRule<'a> {
    /// The rule of a name; none where there is no such rule, or DeepLIFT has no reference.
    pub(crate) fn from_parts(
        name: &str,
        parameter: f64,
        reference: Option<TensorRef<'a>>,
    ) -> Option<Self> {
        let parameter = parameter as f32;
        Some(match name {
            "guided" => Self::Guided,
            "deconvolution" => Self::Deconvolution,
            "deeplift" => Self::DeepLift {
                reference: reference?,
            },
            "lrp_epsilon" => Self::LrpEpsilon { epsilon: parameter },
            "lrp_gamma" => Self::LrpGamma { gamma: parameter },
            "lrp_zplus" => Self::LrpZPlus,
            "lrp_composite" => Self::LrpComposite { epsilon: parameter },
            _ => return None,
        })
    }

    /// The reference, where there is one.
    pub(crate) fn reference(&self) -> Option<TensorRef<'a>> {
        match *self {
            Self::DeepLift { reference } => Some(reference),
            _ => None,
        }
    }
}
