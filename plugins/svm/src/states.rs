//! The solved pairs of an interrupted training, as bytes.

use safetensors::SafeTensors;

use crate::pair::{PairRecord, PairSolution};
use crate::platt::Sigmoid;
use crate::store::{StoredTensor, read_f64, read_u32, shaped};
use crate::{SvmError, pair_count, pairs};

/// The pairs that are solved; what [`Progress`](crate::Progress) shows and a later
/// [`Svm::fit`](crate::Svm::fit) of the same problem and settings can go on from.
#[derive(Clone, Debug, PartialEq)]
pub struct PairStates {
    /// Hash of problem and settings.
    pub(crate) key: [u8; 32],
    pub(crate) solved: Vec<Option<PairSolution>>,
}

/// Numbers of a pair besides its coefficients.
const NUMBERS: usize = 8;

impl PairStates {
    pub(crate) fn new(key: [u8; 32], classes: usize) -> Self {
        Self {
            key,
            solved: vec![None; pair_count(classes)],
        }
    }

    /// Pairs solved so far.
    #[must_use]
    pub fn done(&self) -> usize {
        self.solved.iter().flatten().count()
    }

    /// The states as bytes, the same for the same states.
    ///
    /// # Errors
    /// `File` when the format refuses them.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SvmError> {
        let solved: Vec<(usize, &PairSolution)> = self
            .solved
            .iter()
            .enumerate()
            .filter_map(|(pair, solution)| Some((pair, solution.as_ref()?)))
            .collect();
        let all = || {
            let sides = solved.iter().flat_map(|(_, s)| [&s.first, &s.second]);
            sides.flatten()
        };
        let numbers = solved.iter().flat_map(|(_, s)| {
            let sigmoid = s.sigmoid.unwrap_or(Sigmoid {
                a: f64::NAN,
                b: f64::NAN,
            });
            [
                s.bias,
                sigmoid.a,
                sigmoid.b,
                s.record.iterations as f64,
                s.record.fold_iterations as f64,
                s.record.kernel_rows as f64,
                s.record.hinge,
                s.record.accuracy,
            ]
        });
        let (count, total) = (solved.len(), all().count());
        let tensors = [
            ("key", StoredTensor::u8(vec![32], self.key.to_vec())),
            (
                "pairs",
                StoredTensor::u32(vec![count], solved.iter().map(|(pair, _)| *pair as u32)),
            ),
            (
                "counts",
                StoredTensor::u32(
                    vec![count, 2],
                    solved
                        .iter()
                        .flat_map(|(_, s)| [s.first.len() as u32, s.second.len() as u32]),
                ),
            ),
            ("rows", StoredTensor::u32(vec![total], all().map(|c| c.0))),
            ("beta", StoredTensor::f64(vec![total], all().map(|c| c.1))),
            ("numbers", StoredTensor::f64(vec![count, NUMBERS], numbers)),
        ];
        safetensors::serialize(tensors, None).map_err(|e| SvmError::File(e.to_string()))
    }

    /// Reads the states of a training with this key, whose classes have so many rows.
    pub(crate) fn from_bytes(
        bytes: &[u8],
        key: [u8; 32],
        class_rows: &[usize],
    ) -> Result<Self, SvmError> {
        parse(bytes, key, class_rows).map_err(SvmError::Resume)
    }
}

fn parse(bytes: &[u8], key: [u8; 32], class_rows: &[usize]) -> Result<PairStates, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("not readable: {e}"))?;
    let kept = file.tensor("key").map_err(|_| "no tensor 'key'")?;
    if kept.data() != key {
        return Err("it is of other data or settings".to_owned());
    }
    let (_, pair_numbers) = read_u32(&file, "pairs")?;
    let count = pair_numbers.len();
    let counts = shaped(read_u32(&file, "counts")?, "counts", &[count, 2])?;
    let numbers = shaped(read_f64(&file, "numbers")?, "numbers", &[count, NUMBERS])?;
    let total = counts.iter().map(|&n| n as usize).sum::<usize>();
    let rows = shaped(read_u32(&file, "rows")?, "rows", &[total])?;
    let beta = shaped(read_f64(&file, "beta")?, "beta", &[total])?;
    let mut states = PairStates::new(key, class_rows.len());
    let classes: Vec<(usize, usize)> = pairs(class_rows.len()).collect();
    let mut start = 0;
    let (counts, _) = counts.as_chunks::<2>();
    let (numbers, _) = numbers.as_chunks::<NUMBERS>();
    for ((&pair, counts), numbers) in pair_numbers.iter().zip(counts).zip(numbers) {
        let pair = pair as usize;
        let &(a, b) = classes
            .get(pair)
            .ok_or_else(|| format!("there is no pair {pair}"))?;
        let mut side = |count: u32, class: usize| {
            let range = start..start + count as usize;
            start = range.end;
            let side: Vec<(u32, f64)> = rows[range.clone()]
                .iter()
                .copied()
                .zip(beta[range].iter().copied())
                .collect();
            let ascending = side.is_sorted_by(|x, y| x.0 < y.0);
            let inside = side
                .last()
                .is_none_or(|last| (last.0 as usize) < class_rows[class]);
            if ascending && inside && side.iter().all(|c| c.1.is_finite()) {
                Ok(side)
            } else {
                Err(format!("pair {pair} has impossible coefficients"))
            }
        };
        let (first, second) = (side(counts[0], a)?, side(counts[1], b)?);
        let &[
            bias,
            slope,
            shift,
            iterations,
            fold_iterations,
            kernel_rows,
            hinge,
            accuracy,
        ] = numbers;
        if !bias.is_finite() {
            return Err(format!("pair {pair} has the bias {bias}"));
        }
        states.solved[pair] = Some(PairSolution {
            first,
            second,
            bias,
            sigmoid: (slope.is_finite() && shift.is_finite())
                .then_some(Sigmoid { a: slope, b: shift }),
            record: PairRecord {
                iterations: iterations as u64,
                fold_iterations: fold_iterations as u64,
                kernel_rows: kernel_rows as u64,
                hinge,
                accuracy,
            },
        });
    }
    Ok(states)
}
