//! Maps a plugin library and reads what it exports; runs only in a worker process.
//!
//! Libraries are never unloaded: code of theirs may still be referred to by threads, thread-local
//! destructors and handlers that nobody can enumerate.

#![expect(unsafe_code, reason = "maps a library and reads its static data")]

use std::ffi::{CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use xbench_abi::{
    XB_ABI_MAJOR, XB_ANY_THREAD, XB_CONCURRENT, XB_CONTROL, XB_ENTRY_SYMBOL, XB_EXPLAINER,
    XB_MODEL, XB_STOCHASTIC, XB_WANTS_BACKGROUND, XB_WANTS_MASK, has_field, xb_descriptor,
    xb_entry, xb_object,
};

use crate::call::{CallFrame, CallSettings};
use crate::error::{Fault, PluginError};
use crate::explainer::LoadedExplainer;
use crate::info::PluginFlags;
use crate::manifest::{Kind, check_id};
use crate::model::LoadedModel;
use crate::object::Object;
use crate::scan::ScannedPlugin;

/// Most plugins in one library.
const MAX_DESCRIPTORS: u32 = 256;
/// Most ids in a list.
const MAX_IDS: usize = 256;
/// Longest text of a descriptor, in bytes.
const MAX_TEXT: usize = 16 << 10;
/// Longest schema, in bytes.
const MAX_SCHEMA: usize = 1 << 20;

/// A mapped plugin library. Stays mapped until the process ends.
#[derive(Debug)]
pub struct Library {
    path: PathBuf,
    entry: NonNull<xb_entry>,
    descriptors: Vec<ScannedPlugin>,
    raw: Vec<NonNull<xb_descriptor>>,
}

impl Library {
    /// Maps the library at `path` and reads its descriptors; calls none of its functions.
    ///
    /// # Errors
    ///
    /// When the file cannot be mapped, lacks the entry symbol, was built for another major version
    /// of the contract, or has descriptors that break it.
    pub fn open(path: &Path) -> Result<Self, PluginError> {
        let named = |fault| PluginError::new(&path.display().to_string(), fault);
        let entry = map(path).map_err(|message| named(Fault::contract(message)))?;
        // SAFETY: the symbol's name says that it is an entry, and the library stays mapped.
        let raw = unsafe { read_entry(entry) }.map_err(named)?;
        let mut descriptors: Vec<ScannedPlugin> = Vec::with_capacity(raw.len());
        for (index, descriptor) in raw.iter().enumerate() {
            // SAFETY: an entry's descriptors are static data.
            let scanned = unsafe { read_descriptor(*descriptor) }.map_err(|fault| {
                named(Fault {
                    message: format!("descriptor {index}: {}", fault.message),
                    ..fault
                })
            })?;
            if descriptors.iter().any(|earlier| earlier.id == scanned.id) {
                return Err(named(Fault::contract(format!(
                    "it holds {} twice",
                    scanned.id
                ))));
            }
            descriptors.push(scanned);
        }
        Ok(Self {
            path: path.to_owned(),
            entry,
            descriptors,
            raw,
        })
    }

    /// What the library holds.
    #[must_use]
    pub fn descriptors(&self) -> &[ScannedPlugin] {
        &self.descriptors
    }

    /// Makes a model. `params` is a JSON object that was checked against the plugin's schema.
    ///
    /// # Errors
    ///
    /// The plugin's own, or the rule of the contract that the object breaks.
    pub fn create_model(
        &self,
        id: &str,
        params: &str,
        settings: &CallSettings,
    ) -> Result<LoadedModel, PluginError> {
        let (object, descriptor) = self.create(id, Kind::Model, params, settings)?;
        LoadedModel::new(object, descriptor).map_err(|fault| PluginError::new(id, fault))
    }

    /// Makes an explainer. `params` is a JSON object that was checked against the plugin's schema.
    ///
    /// # Errors
    ///
    /// As [`Library::create_model`].
    pub fn create_explainer(
        &self,
        id: &str,
        params: &str,
        settings: &CallSettings,
    ) -> Result<LoadedExplainer, PluginError> {
        let (object, descriptor) = self.create(id, Kind::Explainer, params, settings)?;
        LoadedExplainer::new(object, descriptor).map_err(|fault| PluginError::new(id, fault))
    }

    fn create(
        &self,
        id: &str,
        kind: Kind,
        params: &str,
        settings: &CallSettings,
    ) -> Result<(Object, &ScannedPlugin), PluginError> {
        let failed = |fault| PluginError::new(id, fault);
        let found = self
            .descriptors
            .iter()
            .zip(&self.raw)
            .find(|(plugin, _)| plugin.id == id);
        let Some((plugin, raw)) = found.filter(|(plugin, _)| plugin.kind == kind) else {
            let place = self.path.display();
            return Err(failed(Fault::request(format!(
                "{place} holds no {kind} of this id"
            ))));
        };
        self.initialise(settings).map_err(failed)?;
        // SAFETY: `read_descriptor` checked that the field exists.
        let create = unsafe { raw.as_ref().create };
        let Some(create) = create else {
            return Err(failed(Fault::contract("its create is null")));
        };
        let frame = CallFrame::new(settings);
        let mut object: *mut xb_object = std::ptr::null_mut();
        // SAFETY: as the contract says: a descriptor of this library, a live call, a text with its
        // length, and a place for the object.
        let status = unsafe {
            create(
                raw.as_ptr(),
                frame.raw(),
                params.as_ptr().cast(),
                params.len(),
                &raw mut object,
            )
        };
        frame.finish("create", status).map_err(failed)?;
        // SAFETY: on success the object is the caller's.
        let object = unsafe { Object::take(object, kind) }.map_err(failed)?;
        Ok((object, plugin))
    }

    /// Calls the library's `init` once per process, before the first `create`.
    fn initialise(&self, settings: &CallSettings) -> Result<(), Fault> {
        static DONE: Mutex<Vec<usize>> = Mutex::new(Vec::new());
        let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
        let address = self.entry.as_ptr() as usize;
        // SAFETY: `read_entry` checked the fields before `init`; it may be missing altogether.
        let init = unsafe {
            let entry = self.entry.as_ref();
            if has_field!(entry.struct_size, xb_entry, init) {
                entry.init
            } else {
                None
            }
        };
        let Some(init) = init.filter(|_| !done.contains(&address)) else {
            return Ok(());
        };
        let path = CString::new(self.path.to_string_lossy().as_bytes())
            .map_err(|_| Fault::request("the library's path holds a NUL"))?;
        let frame = CallFrame::new(settings);
        // SAFETY: a live call and a NUL-terminated path.
        let status = unsafe { init(frame.raw(), path.as_ptr()) };
        frame.finish("init", status)?;
        done.push(address);
        Ok(())
    }
}

/// Maps a library for good and finds its entry symbol.
fn map(path: &Path) -> Result<NonNull<xb_entry>, String> {
    // SAFETY: running the library's constructors is what this process is for.
    let library = unsafe {
        #[cfg(unix)]
        {
            use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
            Library::open(Some(path), RTLD_NOW | RTLD_LOCAL).map(libloading::Library::from)
        }
        #[cfg(not(unix))]
        {
            libloading::Library::new(path)
        }
    };
    let library = library.map_err(|error| format!("it cannot be loaded: {}", sentence(&error)))?;
    // SAFETY: only the symbol's address is taken here.
    let entry = unsafe { library.get::<*mut xb_entry>(XB_ENTRY_SYMBOL.to_bytes_with_nul()) }
        .map(|symbol| *symbol);
    std::mem::forget(library);
    let entry = entry.map_err(|_| {
        format!(
            "it is no plugin library of ABI {XB_ABI_MAJOR}: the symbol {} is missing",
            XB_ENTRY_SYMBOL.to_string_lossy()
        )
    })?;
    NonNull::new(entry)
        .filter(|entry| entry.is_aligned())
        .ok_or_else(|| "its entry symbol is null or misaligned".to_owned())
}

/// The loader's own words.
fn sentence(error: &libloading::Error) -> String {
    use std::error::Error;
    error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string)
}

/// Checks the entry; returns its descriptors.
///
/// # Safety
///
/// `entry` points to a mapped library's entry.
unsafe fn read_entry(entry: NonNull<xb_entry>) -> Result<Vec<NonNull<xb_descriptor>>, Fault> {
    // SAFETY: by this function's contract; the size comes first.
    unsafe {
        let size = entry.cast::<u32>().read();
        if !has_field!(size, xb_entry, descriptors) {
            return Err(Fault::contract(format!("its entry has only {size} bytes")));
        }
        let entry = entry.as_ptr();
        let major = (*entry).abi_major;
        if major != XB_ABI_MAJOR {
            return Err(Fault::contract(format!(
                "it was built for ABI {major}; this program speaks {XB_ABI_MAJOR}"
            )));
        }
        let count = (*entry).num_descriptors;
        if count == 0 || count > MAX_DESCRIPTORS {
            return Err(Fault::contract(format!(
                "it claims {count} descriptors; allowed are 1 to {MAX_DESCRIPTORS}"
            )));
        }
        let list = (*entry).descriptors;
        if list.is_null() {
            return Err(Fault::contract("its list of descriptors is null"));
        }
        (0..count as usize)
            .map(|index| {
                NonNull::new((*list.add(index)).cast_mut())
                    .filter(|descriptor| descriptor.is_aligned())
                    .ok_or_else(|| {
                        Fault::contract(format!("descriptor {index} is null or misaligned"))
                    })
            })
            .collect()
    }
}

/// Copies a descriptor.
///
/// # Safety
///
/// `descriptor` points to a descriptor of a mapped library.
unsafe fn read_descriptor(descriptor: NonNull<xb_descriptor>) -> Result<ScannedPlugin, Fault> {
    // SAFETY: by this function's contract; the size comes first.
    unsafe {
        let size = descriptor.cast::<u32>().read();
        if !has_field!(size, xb_descriptor, create) {
            return Err(Fault::contract(format!("it has only {size} bytes")));
        }
        let descriptor = descriptor.as_ref();
        let id = text("id", descriptor.id, MAX_TEXT)?;
        check_id(&id).map_err(Fault::contract)?;
        let kind = match descriptor.kind {
            XB_MODEL => Kind::Model,
            XB_EXPLAINER => Kind::Explainer,
            other => {
                return Err(Fault::contract(format!(
                    "{id} is of kind {other}; this program knows {XB_MODEL} (model) and \
                     {XB_EXPLAINER} (explainer)"
                )));
            }
        };
        let schema = text("params_schema", descriptor.params_schema, MAX_SCHEMA)?;
        let params_schema = serde_json::from_str(&schema)
            .map_err(|e| Fault::contract(format!("{id}: params_schema is not JSON: {e}")))?;
        let has = |flag| descriptor.flags & flag != 0;
        Ok(ScannedPlugin {
            kind,
            flags: PluginFlags {
                stochastic: has(XB_STOCHASTIC),
                wants_mask: has(XB_WANTS_MASK),
                wants_background: has(XB_WANTS_BACKGROUND),
                control: has(XB_CONTROL),
                any_thread: has(XB_ANY_THREAD),
                concurrent: has(XB_CONCURRENT),
            },
            max_batch: descriptor.max_batch,
            name: text("name", descriptor.name, MAX_TEXT)?,
            version: text("version", descriptor.version, MAX_TEXT)?,
            license: text("license", descriptor.license, MAX_TEXT)?,
            citation: text("citation", descriptor.citation, MAX_TEXT)?,
            summary: text("summary", descriptor.summary, MAX_TEXT)?,
            provides: ids("provides", descriptor.provides)?,
            requires_model: ids("requires_model", descriptor.requires_model)?,
            params_schema,
            id,
        })
    }
}

/// Copies a NUL-terminated UTF-8 text of at most `limit` bytes.
///
/// # Safety
///
/// `text` is null or NUL-terminated.
pub(crate) unsafe fn text(what: &str, text: *const c_char, limit: usize) -> Result<String, Fault> {
    if text.is_null() {
        return Err(Fault::contract(format!("{what} is null")));
    }
    // SAFETY: bytes are read one by one up to the NUL or the limit.
    let length = (0..=limit).find(|&index| unsafe { *text.add(index) } == 0);
    let Some(length) = length else {
        return Err(Fault::contract(format!(
            "{what} is longer than {limit} bytes"
        )));
    };
    // SAFETY: these bytes were just read.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) };
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(Fault::contract(format!("{what} is not UTF-8"))),
    }
}

/// Copies a NULL-terminated list of ids; a null list is empty.
///
/// # Safety
///
/// `list` is null or NULL-terminated, and so are its texts.
unsafe fn ids(what: &str, list: *const *const c_char) -> Result<Vec<String>, Fault> {
    let mut ids = Vec::new();
    if list.is_null() {
        return Ok(ids);
    }
    for index in 0..=MAX_IDS {
        // SAFETY: the list goes on up to its NULL.
        let id = unsafe { *list.add(index) };
        if id.is_null() {
            return Ok(ids);
        }
        // SAFETY: by this function's contract.
        ids.push(unsafe { text(what, id, MAX_TEXT) }?);
    }
    Err(Fault::contract(format!(
        "{what} has more than {MAX_IDS} ids, or no end"
    )))
}
