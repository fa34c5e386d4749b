//! DLPack's structs, as far as the contract uses them (DLPack 1.3, `include/dlpack.h`).

use core::ffi::c_void;

/// Major version of DLPack that is spoken; another one must not be read.
pub const DLPACK_MAJOR_VERSION: u32 = 1;
/// Minor version of DLPack that is spoken.
pub const DLPACK_MINOR_VERSION: u32 = 3;
/// `DLDevice::device_type` of memory that the CPU reads and writes.
pub const K_DL_CPU: i32 = 1;
/// `DLDevice::device_type` of CUDA memory.
pub const K_DL_CUDA: i32 = 2;
/// `DLDataType::code` of signed integers.
pub const K_DL_INT: u8 = 0;
/// `DLDataType::code` of unsigned integers.
pub const K_DL_UINT: u8 = 1;
/// `DLDataType::code` of IEEE floating point numbers.
pub const K_DL_FLOAT: u8 = 2;

/// Version of the DLPack structs that follow it in memory.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLPackVersion {
    /// A reader must refuse another major version and call the deleter.
    pub major: u32,
    /// For information.
    pub minor: u32,
}

/// Where memory lies.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// One of DLPack's `DLDeviceType`, for instance [`K_DL_CPU`].
    pub device_type: i32,
    /// Which one of the devices of this type; 0 for the CPU.
    pub device_id: i32,
}

/// Type of an element.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// One of DLPack's `DLDataTypeCode`, for instance [`K_DL_FLOAT`].
    pub code: u8,
    /// Bits of one lane.
    pub bits: u8,
    /// Lanes of a vector type; always 1 here.
    pub lanes: u16,
}

impl DLDataType {
    /// 32-bit floating point: features, outputs, attributions.
    pub const F32: Self = Self {
        code: K_DL_FLOAT,
        bits: 32,
        lanes: 1,
    };
    /// 8-bit unsigned integer: masks, pixels, bytes.
    pub const U8: Self = Self {
        code: K_DL_UINT,
        bits: 8,
        lanes: 1,
    };
}

/// A tensor in somebody's memory: borrowed, it owns nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Start of the memory; the first element lies `byte_offset` further on.
    pub data: *mut c_void,
    /// Where the memory lies.
    pub device: DLDevice,
    /// Number of axes.
    pub ndim: i32,
    /// Type of an element.
    pub dtype: DLDataType,
    /// `ndim` extents.
    pub shape: *mut i64,
    /// `ndim` distances, counted in elements; never null in this contract.
    pub strides: *mut i64,
    /// Distance of the first element from `data`, in bytes.
    pub byte_offset: u64,
}

/// A tensor that is handed over together with the duty to free it.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensorVersioned {
    /// To be checked before anything behind it is read.
    pub version: DLPackVersion,
    /// The maker's own.
    pub manager_ctx: *mut c_void,
    /// Frees everything, this struct included; called once by the consumer, on any thread.
    /// Null where nothing has to be freed.
    pub deleter: Option<unsafe extern "C" fn(*mut DLManagedTensorVersioned)>,
    /// DLPack's bit mask of flags.
    pub flags: u64,
    /// The tensor itself.
    pub dl_tensor: DLTensor,
}

/// A tensor borrowed for the duration of a call.
pub type xb_tensor = DLTensor;
/// A result made by the callee; its consumer calls the deleter once.
pub type xb_owned = DLManagedTensorVersioned;
