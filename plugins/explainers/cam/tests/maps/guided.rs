//! Guided Grad-CAM is the product of its two parts.

use xbench_plugin::{
    BackwardRule, Context, Error, ModifiedVjp, Pullback, Result, TensorRef, Vjp, Wrt, test_model,
};

use crate::stack::{Stack, Stage, numbers};
use crate::{deviation, explain, rows};

const IMAGE: [usize; 3] = [2, 9, 8];

/// Its product with the map does not depend on how the rule is computed: here it is the gradient
/// without what is negative.
impl ModifiedVjp for Stack {
    fn rules(&self) -> Vec<String> {
        vec!["guided".to_owned()]
    }

    fn modified_vjp(
        &self,
        ctx: &Context<'_>,
        x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        rule: BackwardRule<'_>,
        wrt: Wrt<'_>,
        want_activation: bool,
    ) -> Result<Pullback> {
        if rule != BackwardRule::Guided || wrt != Wrt::Input {
            return Err(Error::unimplemented("not asked for by this method"));
        }
        let mut pullback = self.vjp(ctx, x, output_gradient, wrt, want_activation)?;
        let values = pullback.gradient.data_mut();
        values.iter_mut().for_each(|value| *value = value.max(0.0));
        Ok(pullback)
    }
}

#[test]
fn the_map_times_what_is_guided() {
    let net = Stack::new(
        IMAGE,
        vec![
            Stage::Conv {
                side: 3,
                weight: numbers(4 * 2 * 9, 1, 0.4),
                bias: numbers(4, 2, 0.5),
                relu: true,
            },
            Stage::MaxPool,
            Stage::Conv {
                side: 2,
                weight: numbers(5 * 4 * 4, 3, 0.5),
                bias: numbers(5, 4, 0.5),
                relu: true,
            },
            Stage::Dense {
                weight: numbers(3 * 5 * 4, 5, 0.5),
                bias: numbers(3, 6, 0.4),
                relu: false,
            },
        ],
    );
    let rows = rows(20, IMAGE, 3);
    let model =
        || test_model!(net.clone(), Stack: Layers, Vjp, ModifiedVjp).expect("a sound model");
    let map = explain("gradcam", "{}", &model(), &rows);
    let seen = explain("guided-gradcam", "{}", &model(), &rows);
    let pixels = IMAGE[1] * IMAGE[2];
    let mut expected = Vec::new();
    for row in 0..20 {
        let dy: Vec<f64> = (0..3).map(|k| f64::from(k == row % 3)).collect();
        let (_, gradient) = net.gradient(rows.row(row), &dy, None);
        for (i, gradient) in gradient.iter().enumerate() {
            // Grad-CAM's channels each hold the map divided by their number.
            let at = row * 2 * pixels + i;
            expected.push(gradient.max(0.0) * 2.0 * f64::from(map[at]));
        }
    }
    assert!(seen.iter().any(|&v| v > 0.0));
    assert!(deviation(&seen, &expected) < 1e-5);
}
