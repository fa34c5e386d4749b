//! Small graphs built by hand.

use prost::Message as _;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// The value of an attribute.
#[derive(Clone)]
pub(crate) enum Value {
    Int(i64),
    Float(f32),
    Ints(Vec<i64>),
    Text(&'static str),
}

/// A graph from `x` to `y`.
#[derive(Clone)]
pub(crate) struct Net {
    pub(crate) proto: ModelProto,
}

impl Net {
    pub(crate) fn new(opset: i64, input: &[i64]) -> Self {
        let graph = GraphProto {
            name: "net".into(),
            input: vec![tensor_info("x", Some(input))],
            output: vec![tensor_info("y", None)],
            ..GraphProto::default()
        };
        Net {
            proto: ModelProto {
                ir_version: 8,
                opset_import: vec![OperatorSetIdProto {
                    domain: String::new(),
                    version: opset,
                }],
                graph: Some(graph),
                ..ModelProto::default()
            },
        }
    }

    pub(crate) fn graph(&mut self) -> &mut GraphProto {
        self.proto.graph.as_mut().expect("a graph")
    }

    /// Adds `outputs = op(inputs)`, both as names with spaces between; `-` for one left out.
    pub(crate) fn node(
        mut self,
        op: &str,
        inputs: &str,
        outputs: &str,
        attributes: &[(&str, Value)],
    ) -> Self {
        let names = |text: &str| {
            let words = text.split_whitespace();
            words
                .map(|word| word.trim_matches('-').to_owned())
                .collect()
        };
        let node = NodeProto {
            input: names(inputs),
            output: names(outputs),
            name: format!("the_{}", op.to_lowercase()),
            op_type: op.into(),
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        };
        self.graph().node.push(node);
        self
    }

    /// Adds the weight `name`, with numbers between -1 and 1.
    pub(crate) fn weight(self, name: &str, dims: &[i64]) -> Self {
        let count: i64 = dims.iter().product();
        let values = (0..count).map(|i| ((i * 7907 + 13) % 97) as f32 / 48.0 - 1.0);
        self.floats(name, dims, values.collect())
    }

    pub(crate) fn floats(mut self, name: &str, dims: &[i64], values: Vec<f32>) -> Self {
        self.graph().initializer.push(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: DataType::Float as i32,
            float_data: values,
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn ints(mut self, name: &str, dims: &[i64], values: Vec<i64>) -> Self {
        self.graph().initializer.push(TensorProto {
            name: name.into(),
            dims: dims.to_vec(),
            data_type: DataType::Int64 as i32,
            int64_data: values,
            ..TensorProto::default()
        });
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.proto.encode_to_vec()
    }
}

fn attribute((name, value): &(&str, Value)) -> AttributeProto {
    let mut attribute = AttributeProto {
        name: (*name).into(),
        ..AttributeProto::default()
    };
    let kind = match value.clone() {
        Value::Int(i) => {
            attribute.i = i;
            AttributeType::Int
        }
        Value::Float(f) => {
            attribute.f = f;
            AttributeType::Float
        }
        Value::Ints(ints) => {
            attribute.ints = ints;
            AttributeType::Ints
        }
        Value::Text(text) => {
            attribute.s = text.into();
            AttributeType::String
        }
    };
    attribute.r#type = kind as i32;
    attribute
}

/// An f32 tensor; an extent of 0 is free.
pub(crate) fn tensor_info(name: &str, shape: Option<&[i64]>) -> ValueInfoProto {
    let shape = shape.map(|extents| TensorShapeProto {
        dim: extents
            .iter()
            .map(|&extent| Dimension {
                value: Some(match extent {
                    0 => dimension::Value::DimParam("n".into()),
                    _ => dimension::Value::DimValue(extent),
                }),
                ..Dimension::default()
            })
            .collect(),
    });
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: DataType::Float as i32,
                shape,
            })),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
