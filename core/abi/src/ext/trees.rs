//! `xbench.model.trees/1`: an additive ensemble of decision trees.

use core::ffi::CStr;

use crate::{xb_call, xb_object, xb_status};

/// Id of [`xb_trees`].
pub const XB_EXT_TREES: &CStr = c"xbench.model.trees/1";

/// The trees as flat arrays: `y[k] = base[k]` + the sum of the leaves that a row reaches.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct xb_tree_ensemble {
    /// Bytes of this struct as the caller of `get` compiled it.
    pub struct_size: u32,
    /// Columns of a row.
    pub num_features: u32,
    /// Outputs of a row.
    pub num_outputs: u32,
    /// Length of the arrays by tree.
    pub num_trees: u32,
    /// Length of the arrays by node: the nodes of all trees.
    pub num_nodes: u32,
    /// Values of a node: 1, or `num_outputs`.
    pub leaf_values: u32,
    /// A row goes left where x < threshold (1) or x <= threshold (0).
    pub strict: u32,
    /// 0.
    pub reserved: u32,
    /// `[outputs]`.
    pub base: *const f32,
    /// `[trees]`: number of the root; a tree's nodes follow it.
    pub roots: *const u32,
    /// `[trees]`: the output it adds to; -1: to all of them.
    pub tree_output: *const i32,
    /// `[nodes]`: what is compared; -1: a leaf.
    pub feature: *const i32,
    /// `[nodes]`.
    pub threshold: *const f32,
    /// `[nodes]`: number of the left child; 0 in leaves.
    pub left: *const u32,
    /// `[nodes]`: number of the right child; 0 in leaves.
    pub right: *const u32,
    /// `[nodes]`: 1 where NaN goes left.
    pub default_left: *const u8,
    /// `[nodes]`: training weight that reached the node.
    pub cover: *const f32,
    /// `[nodes]`: by how much the split reduced the loss; 0 in leaves.
    pub gain: *const f32,
    /// `[nodes, leaf_values]`; 0 in inner nodes.
    pub value: *const f32,
}

/// The trees.
#[repr(C)]
#[derive(Debug)]
pub struct xb_trees {
    /// Bytes of this struct as its maker compiled it.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// out: its size is the caller's; its pointers are valid until the object is changed.
    pub get: Option<
        unsafe extern "C" fn(*const xb_object, *const xb_call, *mut xb_tree_ensemble) -> xb_status,
    >,
}
