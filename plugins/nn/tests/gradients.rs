//! Every operation on the tape against central differences of its own forward pass, and every
//! forward pass against plain loops, on even, odd, strided, padded, dilated and grouped cases.

use std::sync::Arc;

use candle_core::{Device, Result, Tensor, Var};
use xbench_nn::kernel::resize::Sampling;
use xbench_nn::op::{
    ChannelStatistics, avg_pool2d, batch_norm2d, channel_statistics, conv2d, cross_entropy,
    global_avg_pool2d, linear, max_pool2d, relu, resize2d,
};
use xbench_nn::{Threads, Window};

/// Numbers that are all different and at least 1/2048 apart, so that a step of the differences
/// below changes no maximum; multiples of 1/1024 away from zero by half a step.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let step = 7919 + 2 * seed;
    (0..n)
        .map(|i| (((i + 1) * step % 2039) as f32 - 1019.5) / 1024.0)
        .collect()
}

fn var(shape: &[usize], seed: usize) -> Var {
    let n = shape.iter().product();
    Var::from_vec(numbers(n, seed), shape, &Device::Cpu).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Σ weights · f(arguments) in double precision, with fixed weights.
fn weighed(y: &Tensor) -> f64 {
    let y = values(y);
    numbers(y.len(), 5)
        .iter()
        .zip(&y)
        .map(|(w, y)| f64::from(*w) * f64::from(*y))
        .sum()
}

/// Compares the tape's gradients of Σ weights · f with central differences, for every element of
/// every argument. All of `f` here is piecewise linear in each single element, so that a large
/// step is exact but for rounding; `kinks` tells how many elements may straddle a kink.
fn check(arguments: &[&Var], kinks: usize, f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    check_with_step(1.0 / 4096.0, arguments, kinks, f);
}

/// The same with another step: where there is no kink, a large one leaves less rounding.
fn check_with_step(
    step: f32,
    arguments: &[&Var],
    kinks: usize,
    f: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let tracked: Vec<Tensor> = arguments.iter().map(|v| v.as_tensor().clone()).collect();
    let y = f(&tracked).unwrap();
    let weights = Tensor::from_vec(numbers(y.elem_count(), 5), y.shape(), &Device::Cpu).unwrap();
    let gradients = (&y * &weights)
        .unwrap()
        .sum_all()
        .unwrap()
        .backward()
        .unwrap();
    let mut bad = Vec::new();
    for (a, argument) in arguments.iter().enumerate() {
        let got = values(
            gradients
                .get(argument)
                .expect("a gradient for each tracked argument"),
        );
        let base = values(argument);
        for i in 0..base.len() {
            let at = |step: f32| {
                let mut moved = base.clone();
                moved[i] += step;
                let moved = Tensor::from_vec(moved, argument.shape(), &Device::Cpu).unwrap();
                let mut plain: Vec<Tensor> = tracked.iter().map(Tensor::detach).collect();
                plain[a] = moved;
                weighed(&f(&plain).unwrap())
            };
            let want = (at(step) - at(-step)) / (2.0 * f64::from(step));
            if (f64::from(got[i]) - want).abs() > 4e-3 * (1.0 + want.abs()) {
                bad.push(format!(
                    "argument {a}, element {i}: {} against {want}",
                    got[i]
                ));
            }
        }
    }
    assert!(
        bad.len() <= kinks,
        "{} gradients differ: {bad:#?}",
        bad.len()
    );
}

fn threads() -> Arc<Threads> {
    Arc::new(Threads::new(2).unwrap())
}

fn windows() -> Vec<(Window, usize, [usize; 4], usize)> {
    vec![
        // Window, groups, input shape, output channels.
        (Window::new([3, 3]), 1, [2, 1, 6, 6], 5),
        (Window::new([3, 3]), 1, [2, 13, 5, 7], 3),
        (Window::new([3, 3]).padding([1, 1]), 1, [1, 14, 4, 5], 4),
        (Window::new([3, 3]).padding([2, 2]), 1, [1, 12, 4, 3], 2),
        (Window::new([2, 3]).stride([2, 1]), 1, [3, 2, 7, 6], 4),
        (
            Window::new([3, 3]).stride([2, 2]).padding([1, 1]),
            1,
            [1, 3, 9, 8],
            4,
        ),
        (Window::new([2, 2]).dilation([2, 3]), 1, [1, 2, 6, 7], 3),
        (Window::new([3, 1]).padding([1, 0]), 2, [2, 4, 5, 4], 6),
        (Window::new([3, 3]).padding([1, 1]), 2, [1, 26, 3, 4], 4),
        (Window::new([1, 1]), 3, [2, 3, 3, 3], 3),
    ]
}

#[test]
fn convolution_forward_agrees_with_plain_loops() {
    for (window, groups, [n, c, h, w], out) in windows() {
        let x = var(&[n, c, h, w], 0);
        let [kh, kw] = window.kernel;
        let weight = var(&[out, c / groups, kh, kw], 1);
        let bias = var(&[out], 2);
        let y = conv2d(&x, &weight, Some(&bias), window, groups, false, &threads()).unwrap();
        let [oh, ow] = window.output([h, w]).unwrap();
        assert_eq!(y.dims(), [n, out, oh, ow]);
        let (x, weight, bias, y) = (values(&x), values(&weight), values(&bias), values(&y));
        let (icg, ocg) = (c / groups, out / groups);
        for (index, got) in y.iter().enumerate() {
            let (ox, oy) = (index % ow, index / ow % oh);
            let (o, image) = (index / (ow * oh) % out, index / (ow * oh * out));
            let mut want = f64::from(bias[o]);
            for i in 0..icg {
                for ky in 0..kh {
                    for kx in 0..kw {
                        let iy = oy * window.stride[0] + ky * window.dilation[0];
                        let ix = ox * window.stride[1] + kx * window.dilation[1];
                        let (iy, ix) = (
                            iy.wrapping_sub(window.padding[0]),
                            ix.wrapping_sub(window.padding[1]),
                        );
                        if iy < h && ix < w {
                            let channel = o / ocg * icg + i;
                            want += f64::from(x[((image * c + channel) * h + iy) * w + ix])
                                * f64::from(weight[((o * icg + i) * kh + ky) * kw + kx]);
                        }
                    }
                }
            }
            assert!(
                (f64::from(*got) - want).abs() < 1e-5,
                "{window:?} {got} {want}"
            );
        }
    }
}

#[test]
fn convolution_gradients() {
    for (window, groups, shape, out) in windows() {
        let x = var(&shape, 0);
        let weight = var(
            &[out, shape[1] / groups, window.kernel[0], window.kernel[1]],
            1,
        );
        let bias = var(&[out], 2);
        let threads = threads();
        check_with_step(0.25, &[&x, &weight, &bias], 0, |a| {
            conv2d(&a[0], &a[1], Some(&a[2]), window, groups, false, &threads)
        });
        // With ReLU a step may cross zero somewhere.
        let all = x.elem_count() + weight.elem_count() + out;
        check(&[&x, &weight, &bias], all / 20, |a| {
            conv2d(&a[0], &a[1], Some(&a[2]), window, groups, true, &threads)
        });
    }
}

#[test]
fn linear_gradients() {
    let (x, weight, bias) = (var(&[5, 9], 0), var(&[7, 9], 1), var(&[7], 2));
    check(&[&x, &weight, &bias], 0, |a| {
        linear(&a[0], &a[1], Some(&a[2]), false, &threads())
    });
    check(&[&x, &weight, &bias], 5, |a| {
        linear(&a[0], &a[1], Some(&a[2]), true, &threads())
    });
    let y = linear(&x, &weight, None, false, &threads()).unwrap();
    let want = x.matmul(&weight.t().unwrap()).unwrap();
    for (a, b) in values(&y).iter().zip(values(&want)) {
        assert!((a - b).abs() < 1e-5);
    }
}

#[test]
fn pooling_gradients() {
    for (window, shape) in [
        (Window::new([2, 2]).stride([2, 2]), [2, 3, 6, 4]),
        (Window::new([2, 2]).stride([2, 2]), [2, 3, 5, 5]),
        (Window::new([2, 2]).stride([2, 2]), [1, 2, 11, 7]),
        (Window::new([3, 3]).stride([2, 2]), [1, 2, 7, 8]),
        (
            Window::new([3, 3]).stride([2, 2]).padding([1, 1]),
            [1, 2, 6, 7],
        ),
        (Window::new([3, 2]).padding([2, 1]), [2, 1, 4, 5]),
        (Window::new([2, 2]).dilation([2, 1]), [1, 2, 5, 4]),
    ] {
        let x = var(&shape, 0);
        let threads = threads();
        check(&[&x], 0, |a| max_pool2d(&a[0], window, &threads));
        check(&[&x], 0, |a| avg_pool2d(&a[0], window, true, &threads));
        check(&[&x], 0, |a| avg_pool2d(&a[0], window, false, &threads));
    }
    let x = var(&[3, 4, 5, 3], 0);
    check(&[&x], 0, |a| global_avg_pool2d(&a[0], &threads()));
}

#[test]
fn pooling_by_hand() {
    let x = Tensor::new(
        &[[[[1f32, 2.0, 9.0], [4.0, 3.0, 9.0], [9.0, 9.0, 9.0]]]],
        &Device::Cpu,
    );
    let x = Var::from_tensor(&x.unwrap()).unwrap();
    let window = Window::new([2, 2]).stride([2, 2]);
    let y = max_pool2d(&x, window, &threads()).unwrap();
    assert_eq!(values(&y), [4.0]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let want = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(values(gradients.get(&x).unwrap()), want);
    let y = avg_pool2d(&x, window, true, &threads()).unwrap();
    assert_eq!(values(&y), [2.5]);
    let gradients = y.sum_all().unwrap().backward().unwrap();
    let want = [0.25, 0.25, 0.0, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(values(gradients.get(&x).unwrap()), want);
    // Padding is counted or not.
    let padded = Window::new([3, 3]).stride([3, 3]).padding([1, 1]);
    let sum = 1.0 + 2.0 + 4.0 + 3.0;
    assert_eq!(
        values(&avg_pool2d(&x, padded, true, &threads()).unwrap()),
        [sum / 9.0]
    );
    assert_eq!(
        values(&avg_pool2d(&x, padded, false, &threads()).unwrap()),
        [sum / 4.0]
    );
}

#[test]
fn the_first_of_equal_maxima_gets_the_gradient() {
    let x = Var::from_vec(vec![1f32; 4], (1, 1, 2, 2), &Device::Cpu).unwrap();
    let y = max_pool2d(&x, Window::new([2, 2]), &threads()).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert_eq!(values(gradients.get(&x).unwrap()), [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn activation_and_resize_gradients() {
    let x = var(&[2, 3, 4, 5], 0);
    check(&[&x], 0, |a| relu(&a[0]));
    for sampling in [
        Sampling::Bilinear,
        Sampling::BilinearCorners,
        Sampling::Nearest,
    ] {
        for size in [[8, 10], [7, 3], [1, 1]] {
            check(&[&x], 0, |a| resize2d(&a[0], size, sampling, &threads()));
        }
    }
}

#[test]
fn cross_entropy_gradient_is_softmax_minus_target() {
    let logits = var(&[2, 3], 0);
    let loss = cross_entropy(&logits, &[2, 0], 0.0).unwrap();
    let rows = logits.to_vec2::<f32>().unwrap();
    let sums: Vec<f32> = rows
        .iter()
        .map(|r| r.iter().map(|v| v.exp()).sum())
        .collect();
    let want = ((sums[0].ln() - rows[0][2]) + (sums[1].ln() - rows[1][0])) / 2.0;
    assert!((loss.to_scalar::<f32>().unwrap() - want).abs() < 1e-6);
    let gradients = loss.backward().unwrap();
    let got = gradients.get(&logits).unwrap().to_vec2::<f32>().unwrap();
    for (r, label) in [(0, 2), (1, 0)] {
        for c in 0..3 {
            let want = (rows[r][c].exp() / sums[r] - f32::from(c == label)) / 2.0;
            assert!((got[r][c] - want).abs() < 1e-6);
        }
    }
}

#[test]
fn batch_norm_gradients() {
    let (x, gamma, beta) = (var(&[3, 4, 5, 3], 0), var(&[4], 1), var(&[4], 2));
    let fixed = ChannelStatistics {
        mean: vec![0.1, -0.2, 0.0, 0.3],
        variance: vec![0.5, 1.0, 2.0, 0.25],
    };
    let threads = threads();
    for statistics in [None, Some(&fixed)] {
        check_with_step(1.0 / 64.0, &[&x, &gamma, &beta], 0, |a| {
            batch_norm2d(&a[0], &a[1], &a[2], statistics, 1e-3, &threads)
        });
    }
    assert!(batch_norm2d(&x, &beta, &var(&[3], 0), None, 1e-3, &threads).is_err());
    assert!(batch_norm2d(&x, &gamma, &beta, None, 0.0, &threads).is_err());
}

#[test]
fn batch_norm_by_hand() {
    let x = Tensor::new(&[[[[1f32, 3.0]], [[5.0, 5.0]]]], &Device::Cpu).unwrap();
    let threads = threads();
    let statistics = channel_statistics(&x, &threads).unwrap();
    assert_eq!(statistics.mean, [2.0, 5.0]);
    assert_eq!(statistics.variance, [1.0, 0.0]);
    let gamma = Tensor::new(&[2f32, 1.0], &Device::Cpu).unwrap();
    let beta = Tensor::new(&[0.5f32, -1.0], &Device::Cpu).unwrap();
    // (1 + 3) is a square: 2 * (x - 2) / 2 + 0.5.
    let y = batch_norm2d(&x, &gamma, &beta, None, 3.0, &threads).unwrap();
    assert_eq!(values(&y), [-0.5, 1.5, -1.0, -1.0]);
}

/// A tensor used twice: gradients of both uses add up (candle's own nearest upsampling
/// overwrites one of them).
#[test]
fn gradients_of_a_tensor_used_twice_add_up() {
    let x = var(&[1, 2, 3, 3], 0);
    check(&[&x], 0, |a| {
        let up = resize2d(&a[0], [6, 6], Sampling::Nearest, &threads())?;
        let pooled = avg_pool2d(&up, Window::new([2, 2]).stride([2, 2]), true, &threads())?;
        pooled + &a[0]
    });
}

#[test]
fn only_tracked_arguments_get_gradients() {
    let threads = threads();
    let (x, weight) = (var(&[1, 2, 4, 4], 0), var(&[3, 2, 3, 3], 1));
    let window = Window::new([3, 3]);
    let y = conv2d(&x, &weight.detach(), None, window, 1, true, &threads).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_some() && gradients.get(&weight).is_none());
    let y = conv2d(&x.detach(), &weight, None, window, 1, true, &threads).unwrap();
    let gradients = y.sum_all().unwrap().backward().unwrap();
    assert!(gradients.get(&x).is_none() && gradients.get(&weight).is_some());
}

#[test]
fn results_have_the_same_bits_for_any_number_of_threads() {
    let run = |threads: Threads| {
        let threads = Arc::new(threads);
        let (x, weight) = (var(&[40, 3, 9, 9], 0), var(&[8, 3, 3, 3], 1));
        let y = conv2d(&x, &weight, None, Window::new([3, 3]), 1, true, &threads).unwrap();
        let y = max_pool2d(&y, Window::new([2, 2]).stride([2, 2]), &threads).unwrap();
        let gradients = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        [
            values(&y),
            values(gradients.get(&x).unwrap()),
            values(gradients.get(&weight).unwrap()),
        ]
    };
    assert_eq!(run(Threads::one()), run(Threads::new(3).unwrap()));
}

#[test]
fn wrong_shapes_are_refused() {
    let threads = threads();
    let x = var(&[1, 2, 4, 4], 0);
    let window = Window::new([3, 3]);
    assert!(conv2d(&x, &var(&[3, 1, 3, 3], 1), None, window, 1, true, &threads).is_err());
    assert!(conv2d(&x, &var(&[3, 1, 3, 3], 1), None, window, 2, true, &threads).is_err());
    assert!(
        conv2d(
            &x,
            &var(&[3, 2, 5, 5], 1),
            None,
            Window::new([5, 5]),
            1,
            true,
            &threads
        )
        .is_err()
    );
    assert!(
        conv2d(
            &x,
            &var(&[3, 2, 3, 3], 1),
            Some(&var(&[2], 1)),
            window,
            1,
            true,
            &threads
        )
        .is_err()
    );
    assert!(max_pool2d(&x, Window::new([5, 5]), &threads).is_err());
    assert!(linear(&var(&[2, 3], 0), &var(&[4, 2], 0), None, false, &threads).is_err());
    assert!(resize2d(&x, [0, 4], Sampling::Nearest, &threads).is_err());
    assert!(cross_entropy(&var(&[2, 3], 0), &[1], 0.0).is_err());
    assert!(cross_entropy(&var(&[2, 3], 0), &[1, 3], 0.0).is_err());
}
