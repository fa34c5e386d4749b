//! The Rust mirror against the C header, as a C compiler sees it.
//!
//! A C program is written from the list below, compiled and run; it prints size, offset and value of
//! everything, and the same lines are made from the Rust side. The list is complete because each
//! struct is taken apart by an exhaustive pattern and because its fields leave no byte uncovered.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use xbench_abi::*;

struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
}

struct Struct {
    name: &'static str,
    size: usize,
    fields: Vec<Field>,
    ours: bool,
}

macro_rules! structs {
    ($($ours:literal $name:ident { $($field:ident),+ $(,)? })+) => {
        vec![$({
            // Fails to compile when a field is missing from the list.
            #[expect(dead_code, reason = "only its type check counts")]
            fn exhaustive(value: $name) {
                let $name { $($field: _),+ } = value;
            }
            Struct {
                name: stringify!($name),
                size: size_of::<$name>(),
                ours: $ours,
                fields: vec![$(Field {
                    name: stringify!($field).trim_end_matches('_'),
                    offset: offset_of!($name, $field),
                    size: size_of_field(|value: &$name| &value.$field),
                }),+],
            }
        }),+]
    };
}

fn structs() -> Vec<Struct> {
    structs! {
        false DLPackVersion { major, minor }
        false DLDevice { device_type, device_id }
        false DLDataType { code, bits, lanes }
        false DLTensor { data, device, ndim, dtype, shape, strides, byte_offset }
        false DLManagedTensorVersioned { version, manager_ctx, deleter, flags, dl_tensor }
        true xb_call { struct_size, num_threads, host_data, seed, deadline_ns, device, stream,
            now_ns, set_error, log, progress }
        true xb_object { struct_size, kind, self_, get_extension, destroy }
        true xb_descriptor { struct_size, kind, flags, max_batch, id, name, version, license,
            citation, summary, params_schema, provides, requires_model, create }
        true xb_entry { struct_size, abi_major, abi_minor, num_descriptors, reserved, descriptors,
            init }
        true xb_predict { struct_size, num_outputs, input_ndim, output_kind, input_shape,
            input_layout, run }
        true xb_layer { name, op, ndim, shape }
        true xb_layers { struct_size, num_layers, layers, activation }
        true xb_vjp { struct_size, reserved, run }
        true xb_linear { struct_size, num_features, layer, weights }
        true xb_parameters { struct_size, num_layers, layers, randomise, restore, fingerprint }
        true xb_weights { struct_size, reserved, format, save, load }
        true xb_fit_step { struct_size, epoch_done, epoch, epochs, batch, batches, loss, accuracy,
            validation_loss, validation_accuracy, learning_rate }
        true xb_fit_monitor { struct_size, reserved, host_data, step, resume, resume_length,
            checkpoint }
        true xb_fit { struct_size, reserved, run }
        true xb_rows { struct_size, num_classes, num_rows, input_ndim, input_shape, read, element,
            reserved, num_validation, read_masks }
        true xb_segment { struct_size, reserved, run }
        true xb_tree_ensemble { struct_size, num_features, num_outputs, num_trees, num_nodes,
            leaf_values, strict, reserved, base, roots, tree_output, feature, threshold, left,
            right, default_left, cover, gain, value }
        true xb_trees { struct_size, reserved, get }
        true xb_modified_vjp { struct_size, num_rules, rules, run }
        true xb_forward_from { struct_size, reserved, run }
        true xb_biases { struct_size, reserved, get }
        true xb_batch { struct_size, reserved, x, target, seed, mask, background, local_fit }
        true xb_explain { struct_size, reserved, run }
    }
}

/// Constants: name in C, value in Rust.
macro_rules! numbers {
    ($($name:ident),+ $(,)?) => { vec![$((stringify!($name), i64::from($name))),+] };
}

fn numbers() -> Vec<(&'static str, i64)> {
    let mut all = numbers![
        XB_ABI_MAJOR,
        XB_ABI_MINOR,
        XB_OK,
        XB_CANCELLED,
        XB_INVALID_ARGUMENT,
        XB_DEADLINE_EXCEEDED,
        XB_NOT_FOUND,
        XB_RESOURCE_EXHAUSTED,
        XB_UNIMPLEMENTED,
        XB_INTERNAL,
        XB_MODEL,
        XB_EXPLAINER,
        XB_DATASET,
        XB_METRIC,
        XB_CONCURRENT,
        XB_ANY_THREAD,
        XB_STOCHASTIC,
        XB_WANTS_MASK,
        XB_CONTROL,
        XB_WANTS_BACKGROUND,
        XB_LOG_ERROR,
        XB_LOG_WARN,
        XB_LOG_INFO,
        XB_LOG_DEBUG,
        XB_LOGITS,
        XB_PROBABILITIES,
        XB_VALUES,
        XB_PIXELS,
        XB_FEATURES,
        XB_RANDOMISE_CASCADE,
        XB_RANDOMISE_SINGLE,
        DLPACK_MAJOR_VERSION,
        DLPACK_MINOR_VERSION,
    ];
    all.extend([
        ("kDLCPU", i64::from(K_DL_CPU)),
        ("kDLCUDA", i64::from(K_DL_CUDA)),
        ("kDLInt", i64::from(K_DL_INT)),
        ("kDLUInt", i64::from(K_DL_UINT)),
        ("kDLFloat", i64::from(K_DL_FLOAT)),
    ]);
    all
}

macro_rules! texts {
    ($($name:ident),+ $(,)?) => {
        vec![$((stringify!($name), $name.to_str().expect("ids are UTF-8"))),+]
    };
}

fn texts() -> Vec<(&'static str, &'static str)> {
    texts![
        XB_EXT_PREDICT,
        XB_EXT_LAYERS,
        XB_EXT_VJP,
        XB_EXT_LINEAR,
        XB_EXT_PARAMETERS,
        XB_EXT_WEIGHTS,
        XB_EXT_FIT,
        XB_EXT_ROWS,
        XB_EXT_SEGMENT,
        XB_EXT_TREES,
        XB_EXT_EXPLAIN,
        XB_EXT_MODIFIED_VJP,
        XB_EXT_FORWARD_FROM,
        XB_EXT_BIASES,
    ]
}

fn include_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// Runs the compiler named by `variable`, or else the first of `names` that can be started.
fn compile(variable: &str, names: &[&str], arguments: &[&str]) {
    let chosen = std::env::var(variable).ok();
    let candidates: Vec<&str> = match &chosen {
        Some(name) => vec![name],
        None => names.to_vec(),
    };
    for name in &candidates {
        if let Ok(output) = Command::new(name)
            .arg("-I")
            .arg(include_dir())
            .args(arguments)
            .output()
        {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success(),
                "{name} {}:\n{text}",
                arguments.join(" ")
            );
            return;
        }
    }
    panic!(
        "no compiler: none of {candidates:?} can be started. A C compiler is needed to test the \
         plugin contract; install one or name it in ${variable}"
    );
}

fn scratch(name: &str) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    path.into_os_string()
        .into_string()
        .expect("the target folder's path is UTF-8")
}

const STRICT: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

#[test]
fn header_compiles_strictly_as_c11() {
    let source = scratch("header.c");
    std::fs::write(&source, "#include \"xbench.h\"\n").expect("scratch file");
    let arguments = [&["-std=c11", "-fsyntax-only"], &STRICT[..], &[&source]].concat();
    compile("CC", &["cc", "gcc", "clang"], &arguments);
}

#[test]
fn header_compiles_strictly_as_cpp17() {
    let source = scratch("header.cpp");
    std::fs::write(&source, "#include \"xbench.h\"\n").expect("scratch file");
    let arguments = [&["-std=c++17", "-fsyntax-only"], &STRICT[..], &[&source]].concat();
    let names = ["c++", "g++", "clang++"];
    let starts = |name: &&str| Command::new(name).arg("--version").output().is_ok();
    if std::env::var_os("CXX").is_none() && !names.iter().any(starts) {
        // A C compiler is a requirement of the project, a C++ compiler is not.
        eprintln!("skipped: no C++ compiler ({names:?}) is installed");
        return;
    }
    compile("CXX", &names, &arguments);
}

#[test]
fn mirror_equals_header() {
    let mut source = String::from(
        "#include <stdio.h>\n#include \"xbench.h\"\n\
         #define S(T) printf(\"%s %zu\\n\", #T, sizeof(T))\n\
         #define F(T, f) printf(\"%s.%s %zu %zu\\n\", #T, #f, offsetof(T, f), \\\n\
         sizeof(((T *)0)->f))\n\
         #define N(v) printf(\"%s %lld\\n\", #v, (long long)(v))\n\
         #define X(v) printf(\"%s %s\\n\", #v, v)\n\
         int main(void) {\n",
    );
    let mut expected = String::new();
    for item in structs() {
        writeln!(source, "S({});", item.name).expect("to a string");
        writeln!(expected, "{} {}", item.name, item.size).expect("to a string");
        for field in item.fields {
            writeln!(source, "F({}, {});", item.name, field.name).expect("to a string");
            writeln!(
                expected,
                "{}.{} {} {}",
                item.name, field.name, field.offset, field.size
            )
            .expect("to a string");
        }
    }
    for (name, value) in numbers() {
        writeln!(source, "N({name});").expect("to a string");
        writeln!(expected, "{name} {value}").expect("to a string");
    }
    for (name, value) in texts() {
        writeln!(source, "X({name});").expect("to a string");
        writeln!(expected, "{name} {value}").expect("to a string");
    }
    source.push_str("return 0;\n}\n");

    let (file, program) = (scratch("layout.c"), scratch("layout"));
    std::fs::write(&file, source).expect("scratch file");
    compile(
        "CC",
        &["cc", "gcc", "clang"],
        &["-std=c11", "-o", &program, &file],
    );
    let output = Command::new(&program)
        .output()
        .expect("the compiled program starts");
    assert!(output.status.success());
    let seen = String::from_utf8(output.stdout).expect("UTF-8");
    for (seen, expected) in seen.lines().zip(expected.lines()) {
        assert_eq!(
            seen, expected,
            "C header on the left, Rust mirror on the right"
        );
    }
    assert_eq!(seen.lines().count(), expected.lines().count());
}

#[test]
fn no_struct_of_ours_has_padding() {
    // Together with `mirror_equals_header` this holds for C as well, and it shows that the list of
    // fields is complete on both sides.
    for item in structs().iter().filter(|item| item.ours) {
        let mut end = 0;
        for field in &item.fields {
            assert_eq!(
                field.offset, end,
                "a gap before {}.{}",
                item.name, field.name
            );
            end = field.offset + field.size;
        }
        assert_eq!(end, item.size, "{} ends in padding", item.name);
    }
}

#[test]
fn dlpack_is_the_released_header() {
    let bytes = std::fs::read(include_dir().join("dlpack.h")).expect("dlpack.h");
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest,
        "62052bef24bd69bb7b52e95428f9e99bd7951783850c36c5f2a41e71fd63c2fc"
    );
}

#[test]
fn fields_are_found_by_size() {
    let whole = size_of::<xb_call>();
    assert!(has_field!(whole, xb_call, progress));
    assert!(!has_field!(whole - 1, xb_call, progress));
    assert!(
        has_field!(whole + 64, xb_call, progress),
        "a newer side is longer"
    );
    assert!(has_field!(4u32, xb_call, struct_size));
    assert!(!has_field!(4u32, xb_call, num_threads));
}
