//! The entry points against arguments that only a careless host in another language would make.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use xbench_abi as abi;
use xbench_abi::{DLDataType, xb_tensor};

use crate::error::{Error, Result, Status};
use crate::ffi::Borrowed;
use crate::testing::{CallOptions, TestModel, call};
use crate::{
    Context, Flags, LayerSpec, Layers, Meta, Model, ModelSpec, NoParams, OutputKind, Plugin,
    Pullback, Tensor, TensorRef, Vjp, Wrt, test_model,
};

/// `y = (x0 - x1, 10 x0)`.
struct Small {
    spec: ModelSpec,
    layers: Vec<LayerSpec>,
}

fn small() -> TestModel {
    let spec = ModelSpec {
        input_shape: vec![2],
        layout: c"tabular",
        outputs: 2,
        output_kind: OutputKind::Values,
    };
    let layers = vec![LayerSpec {
        name: "all".to_owned(),
        op: "identity".to_owned(),
        shape: vec![2],
    }];
    test_model!(Small { spec, layers }, Small: Layers, Vjp).expect("made")
}

impl Plugin for Small {
    const META: Meta = Meta {
        id: c"org.example.small",
        name: c"Small",
        version: c"0.1.0",
        license: c"MIT",
        citation: c"none",
        summary: c"For tests.",
        flags: Flags::NONE,
        max_batch: 0,
    };
    type Params = NoParams;

    fn create(_params: NoParams, _ctx: &Context<'_>) -> Result<Self> {
        Err(Error::unimplemented("made by the tests alone"))
    }
}

impl Model for Small {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn predict(&self, _ctx: &Context<'_>, x: TensorRef<'_>, outputs: &mut [f32]) -> Result<()> {
        for (i, y) in outputs.chunks_mut(2).enumerate() {
            y.copy_from_slice(&[x.row(i)[0] - x.row(i)[1], 10.0 * x.row(i)[0]]);
        }
        Ok(())
    }
}

impl Layers for Small {
    fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    fn activation(&self, _ctx: &Context<'_>, x: TensorRef<'_>, _layer: &str) -> Result<Tensor> {
        Ok(x.to_tensor())
    }
}

impl Vjp for Small {
    fn vjp(
        &self,
        _ctx: &Context<'_>,
        _x: TensorRef<'_>,
        output_gradient: TensorRef<'_>,
        _wrt: Wrt<'_>,
        _want_activation: bool,
    ) -> Result<Pullback> {
        // One row too many.
        let shape = [output_gradient.rows() + 1, 2];
        Ok(Pullback {
            activation: None,
            gradient: Tensor::zeros(shape)?,
        })
    }
}

fn table<T>(model: &TestModel, id: &CStr) -> *const T {
    // SAFETY: a live object.
    unsafe { (*model.as_ptr()).get_extension.expect("there")(model.as_ptr(), id.as_ptr()).cast() }
}

fn predict(x: *const xb_tensor, y: *mut xb_tensor) -> Result<()> {
    let model = small();
    call::run(&CallOptions::default(), |ctx| {
        // SAFETY: a live object, and the tensors of the tests below.
        unsafe {
            let table = table::<abi::xb_predict>(&model, abi::XB_EXT_PREDICT);
            let run = (*table).run.expect("there");
            Error::check(run(model.as_ptr(), ctx.as_ptr(), x, y), "predict")
        }
    })
}

fn with_strides(data: &mut [f32], shape: &mut [i64], strides: &mut [i64]) -> xb_tensor {
    let mut tensor = Borrowed::exclusive(&[1], data);
    // SAFETY: the copy is used while the arguments live.
    let mut copy = unsafe { tensor.as_mut_ptr().read() };
    copy.ndim = shape.len() as i32;
    (copy.shape, copy.strides) = (shape.as_mut_ptr(), strides.as_mut_ptr());
    copy
}

#[test]
fn strided_input_and_output() {
    // x as two columns, y as every other element.
    let (mut x, mut y) = ([1.0, 2.0, 3.0, 4.0], [9.0; 8]);
    let (mut x_shape, mut x_strides) = ([2, 2], [1, 2]);
    let (mut y_shape, mut y_strides) = ([2, 2], [4, 2]);
    let x = with_strides(&mut x, &mut x_shape, &mut x_strides);
    let mut y_tensor = with_strides(&mut y, &mut y_shape, &mut y_strides);
    predict(&x, &mut y_tensor).expect("strides are honoured");
    // Rows are (1, 3) and (2, 4).
    assert_eq!(y, [-2.0, 9.0, 10.0, 9.0, -2.0, 9.0, 20.0, 9.0]);
}

#[test]
fn wrong_tensors_are_refused_with_a_text() {
    let refused = |change: &dyn Fn(&mut xb_tensor, &mut xb_tensor)| {
        let (mut x, mut y) = ([1.0, 2.0], [9.0; 2]);
        let (mut x_shape, mut x_strides) = ([1, 2], [2, 1]);
        let (mut y_shape, mut y_strides) = ([1, 2], [2, 1]);
        let mut x = with_strides(&mut x, &mut x_shape, &mut x_strides);
        let mut y = with_strides(&mut y, &mut y_shape, &mut y_strides);
        change(&mut x, &mut y);
        let error = predict(&x, &mut y).expect_err("refused");
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    };
    assert!(refused(&|x, _| x.ndim = 1).contains("x has shape [1], expected"));
    assert!(refused(&|x, _| x.dtype = DLDataType::U8).contains("x: elements are"));
    assert!(refused(&|x, _| x.data = null_mut()).contains("x: the data pointer is null"));
    assert!(refused(&|x, _| x.byte_offset = 1).contains("misaligned"));
    assert!(refused(&|x, _| x.strides = null_mut()).contains("strides"));
    assert!(refused(&|_, y| y.ndim = 1).contains("y has shape [1], expected [1, 2]"));
    assert!(refused(&|_, y| y.dtype.lanes = 2).contains("y: elements are"));
    let error = predict(null(), null_mut()).expect_err("null");
    assert_eq!(error.message(), "x: the tensor is null or misaligned");
}

#[test]
fn null_calls_objects_and_places_are_refused() {
    let model = small();
    // SAFETY: a live object; null is what is tested.
    unsafe {
        let predict = (*table::<abi::xb_predict>(&model, abi::XB_EXT_PREDICT))
            .run
            .expect("there");
        assert_eq!(
            predict(model.as_ptr(), null(), null(), null_mut()),
            Status::InvalidArgument.code()
        );
        let layers = table::<abi::xb_layers>(&model, abi::XB_EXT_LAYERS);
        let activation = (*layers).activation.expect("there");
        let error = call::run(&CallOptions::default(), |ctx| {
            Error::check(predict(null(), ctx.as_ptr(), null(), null_mut()), "predict")
        });
        assert_eq!(
            error.expect_err("null").message(),
            "the object is null or misaligned"
        );
        let error = call::run(&CallOptions::default(), |ctx| {
            let status = activation(
                model.as_ptr(),
                ctx.as_ptr(),
                null(),
                c"all".as_ptr(),
                null_mut(),
            );
            Error::check(status, "activation")
        });
        assert!(
            error
                .expect_err("null")
                .message()
                .contains("place for the result is null")
        );
        let get_extension = (*model.as_ptr()).get_extension.expect("there");
        assert!(get_extension(model.as_ptr(), null()).is_null());
        assert!(get_extension(null(), abi::XB_EXT_PREDICT.as_ptr()).is_null());
        assert!(get_extension(model.as_ptr(), c"xbench.model.fit/1".as_ptr()).is_null());
    }
}

#[test]
fn an_older_call_is_refused() {
    let model = small();
    // SAFETY: a live object; the call is too short to be read further.
    unsafe {
        let predict = (*table::<abi::xb_predict>(&model, abi::XB_EXT_PREDICT))
            .run
            .expect("there");
        let mut call = std::mem::zeroed::<abi::xb_call>();
        call.struct_size = 8;
        assert_eq!(
            predict(model.as_ptr(), &call, null(), null_mut()),
            Status::InvalidArgument.code()
        );
    }
}

#[test]
fn results_of_a_wrong_shape_do_not_leave() {
    let x = TensorRef::new(&[1, 2], &[1.0, 2.0]).expect("fits");
    let error = small()
        .vjp(x, x, Wrt::Layer("all"), false)
        .expect_err("one row too many");
    assert_eq!(error.status(), Status::Internal);
    assert!(
        error.message().contains("[2, 2] for x of shape [1, 2]"),
        "{error}"
    );
}

#[test]
fn a_table_keeps_its_address() {
    let model = small();
    let first = table::<abi::xb_vjp>(&model, abi::XB_EXT_VJP);
    let moved = Box::new(model);
    assert_eq!(first, table::<abi::xb_vjp>(&moved, abi::XB_EXT_VJP));
}
