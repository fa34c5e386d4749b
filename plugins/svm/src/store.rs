//! Machines at rest: safetensors, alone or next to other tensors.

use std::borrow::Cow;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, View};

use crate::model::Parts;
use crate::platt::Sigmoid;
use crate::{Svm, SvmError, pair_count};

/// A tensor that owns its bytes.
#[derive(Clone, Debug)]
pub struct StoredTensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

macro_rules! stored {
    ($make:ident, $read:ident, $type:ty, $dtype:ident) => {
        impl StoredTensor {
            /// Values in row-major order.
            #[must_use]
            pub fn $make(shape: Vec<usize>, values: impl IntoIterator<Item = $type>) -> Self {
                let bytes = values.into_iter().flat_map(<$type>::to_le_bytes).collect();
                Self {
                    dtype: Dtype::$dtype,
                    shape,
                    bytes,
                }
            }
        }

        /// Shape and values of a tensor of this type.
        pub(crate) fn $read(
            file: &SafeTensors<'_>,
            name: &str,
        ) -> Result<(Vec<usize>, Vec<$type>), String> {
            let view = tensor(file, name, Dtype::$dtype)?;
            let (chunks, _) = view.data().as_chunks();
            let values = chunks.iter().map(|&b| <$type>::from_le_bytes(b)).collect();
            Ok((view.shape().to_vec(), values))
        }
    };
}

stored!(f32, read_f32, f32, F32);
stored!(f64, read_f64, f64, F64);
stored!(u32, read_u32, u32, U32);

impl StoredTensor {
    /// Bytes as they are.
    #[must_use]
    pub fn u8(shape: Vec<usize>, bytes: Vec<u8>) -> Self {
        Self {
            dtype: Dtype::U8,
            shape,
            bytes,
        }
    }
}

impl View for StoredTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

fn tensor<'d>(file: &SafeTensors<'d>, name: &str, dtype: Dtype) -> Result<TensorView<'d>, String> {
    let view = file
        .tensor(name)
        .map_err(|_| format!("no tensor '{name}'"))?;
    if view.dtype() == dtype {
        Ok(view)
    } else {
        Err(format!(
            "'{name}' is {:?}, expected {dtype:?}",
            view.dtype()
        ))
    }
}

/// A tensor of a known shape.
pub(crate) fn shaped<T>(
    (shape, values): (Vec<usize>, Vec<T>),
    name: &str,
    expected: &[usize],
) -> Result<Vec<T>, String> {
    if shape == expected {
        Ok(values)
    } else {
        Err(format!(
            "'{name}' has shape {shape:?}, expected {expected:?}"
        ))
    }
}

/// Where the features of the support vectors are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportRows {
    /// In the tensor `support`, f32.
    Inside,
    /// Outside: the caller keeps them in a form of its own, such as the 8-bit pixels that they
    /// were scaled from, and gives them to [`Svm::read`].
    Outside,
}

impl Svm {
    /// The machine as tensors, whose names begin with `prefix`:
    ///
    /// | name | type | shape | what |
    /// |---|---|---|---|
    /// | `counts` | u32 | `[classes]` | support vectors of each class |
    /// | `rows` | u32 | `[support]` | their rows in the training data |
    /// | `coefficients` | f32 | `[classes − 1, support]` | y α for each pair of the vector's class, ordered by the other class, as libsvm's `sv_coef` |
    /// | `bias` | f64 | `[pairs]` | constants of the decisions, libsvm's −rho |
    /// | `gamma` | f64 | `[1]` | width of the kernel |
    /// | `centre` | f32 | `[features]` | taken off the features before distances are computed |
    /// | `sigmoid` | f64 | `[pairs, 2]` | Platt's a and b; absent without probabilities |
    /// | `support` | f32 | `[support, features]` | the support vectors less the centre; absent when kept outside |
    #[must_use]
    pub fn write(&self, prefix: &str, rows: SupportRows) -> Vec<(String, StoredTensor)> {
        let (classes, support) = (self.classes(), self.support_vectors());
        let pairs = pair_count(classes);
        let counts = self.support_counts();
        let mut tensors = vec![
            (
                "counts",
                StoredTensor::u32(vec![classes], counts.into_iter().map(|n| n as u32)),
            ),
            (
                "rows",
                StoredTensor::u32(vec![support], self.support_rows().iter().copied()),
            ),
            (
                "coefficients",
                StoredTensor::f32(vec![classes - 1, support], self.coefficients()),
            ),
            (
                "bias",
                StoredTensor::f64(vec![pairs], self.bias().iter().copied()),
            ),
            ("gamma", StoredTensor::f64(vec![1], [self.gamma()])),
            (
                "centre",
                StoredTensor::f32(vec![self.features()], self.centre().iter().copied()),
            ),
        ];
        if let Some(sigmoids) = self.sigmoids() {
            let values = sigmoids.iter().flat_map(|s| [s.a, s.b]);
            tensors.push(("sigmoid", StoredTensor::f64(vec![pairs, 2], values)));
        }
        if rows == SupportRows::Inside {
            tensors.push((
                "support",
                StoredTensor::f32(vec![support, self.features()], self.support_features()),
            ));
        }
        tensors
            .into_iter()
            .map(|(name, tensor)| (format!("{prefix}{name}"), tensor))
            .collect()
    }

    /// The machine that [`Svm::write`] described with the same prefix. `support` gives the
    /// support vectors `[support, features]` when they are kept outside; they must have the bits
    /// that they were trained with for the machine to be the same. Other tensors of the file are
    /// left alone. The bytes may come from anywhere.
    ///
    /// # Errors
    /// `File` when a tensor is missing, has another type or shape, or holds impossible values.
    pub fn read(
        file: &SafeTensors<'_>,
        prefix: &str,
        support: Option<Vec<f32>>,
    ) -> Result<Self, SvmError> {
        let parts = parts(file, prefix, support).map_err(SvmError::File)?;
        Self::from_parts(parts)
    }

    /// The machine as a safetensors file, the same bytes for the same machine.
    ///
    /// # Errors
    /// `File` when the format refuses a tensor.
    pub fn save(&self) -> Result<Vec<u8>, SvmError> {
        safetensors::serialize(self.write("", SupportRows::Inside), None)
            .map_err(|e| SvmError::File(e.to_string()))
    }

    /// The machine that [`Svm::save`] wrote. The bytes may come from anywhere.
    ///
    /// # Errors
    /// `File` when they are no such machine.
    pub fn load(bytes: &[u8]) -> Result<Self, SvmError> {
        let file = SafeTensors::deserialize(bytes)
            .map_err(|e| SvmError::File(format!("not a readable safetensors file: {e}")))?;
        Self::read(&file, "", None)
    }
}

fn parts(file: &SafeTensors<'_>, prefix: &str, outside: Option<Vec<f32>>) -> Result<Parts, String> {
    let named = |name: &str| format!("{prefix}{name}");
    let name = named("counts");
    let (shape, counts) = read_u32(file, &name)?;
    let classes = counts.len();
    if shape.len() != 1 || classes < 2 {
        return Err(format!(
            "'{name}' has shape {shape:?}, expected one axis of 2 or more classes"
        ));
    }
    let pairs = pair_count(classes);
    let support = counts.iter().map(|&n| n as usize).sum::<usize>();
    let name = named("rows");
    let rows = shaped(read_u32(file, &name)?, &name, &[support])?;
    let name = named("coefficients");
    let coefficients = shaped(read_f32(file, &name)?, &name, &[classes - 1, support])?;
    finite(&name, coefficients.iter().copied().map(f64::from))?;
    let name = named("bias");
    let bias = shaped(read_f64(file, &name)?, &name, &[pairs])?;
    finite(&name, bias.iter().copied())?;
    let name = named("gamma");
    let gamma = shaped(read_f64(file, &name)?, &name, &[1])?[0];
    if !(gamma.is_finite() && gamma > 0.0) {
        return Err(format!("'{name}' is {gamma}, expected a number above 0"));
    }
    let name = named("centre");
    let (shape, centre) = read_f32(file, &name)?;
    if shape.len() != 1 || centre.is_empty() {
        return Err(format!(
            "'{name}' has shape {shape:?}, expected one axis of features"
        ));
    }
    finite(&name, centre.iter().copied().map(f64::from))?;
    let name = named("sigmoid");
    let sigmoids = if file.tensor(&name).is_ok() {
        let values = shaped(read_f64(file, &name)?, &name, &[pairs, 2])?;
        finite(&name, values.iter().copied())?;
        let (values, _) = values.as_chunks();
        Some(values.iter().map(|&[a, b]| Sigmoid { a, b }).collect())
    } else {
        None
    };
    let name = named("support");
    let (features, centred) = match outside {
        Some(features) if Some(features.len()) == support.checked_mul(centre.len()) => {
            (features, false)
        }
        Some(features) => {
            return Err(format!(
                "{} values for {support} support vectors of {} features",
                features.len(),
                centre.len()
            ));
        }
        None => {
            let shape = [support, centre.len()];
            (shaped(read_f32(file, &name)?, &name, &shape)?, true)
        }
    };
    finite(&name, features.iter().copied().map(f64::from))?;
    Ok(Parts {
        counts: counts.into_iter().map(|n| n as usize).collect(),
        rows,
        coefficients,
        bias,
        gamma,
        centre,
        sigmoids,
        features,
        centred,
    })
}

fn finite(name: &str, mut values: impl Iterator<Item = f64>) -> Result<(), String> {
    match values.find(|value| !value.is_finite()) {
        None => Ok(()),
        Some(value) => Err(format!("'{name}' holds {value}")),
    }
}
