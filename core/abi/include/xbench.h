/* xbench.h - the plugin ABI of xbench, major version 1.
 *
 * This header is the contract; it is written by hand, and the Rust mirror in core/abi/src is
 * compared with it, field by field, by a test that compiles C.
 *
 * Rules that hold everywhere
 *   strings      UTF-8, NUL-terminated unless a length stands beside them
 *   pointers     non-NULL unless marked nullable
 *   ownership    arguments are borrowed for the duration of the call and never kept; what a
 *                callee makes is an xb_owned, and its consumer calls ->deleter exactly once
 *   growth       structs that begin with struct_size may get fields at their end; test for a
 *                field with XB_HAS, never compare sizes for equality; no struct ends in padding
 *   tables       what get_extension gives describes the object as it is; after load or fit ask
 *                again: layers and trees may be others. Older tables stay readable until destroy
 *   tensors      DLPack 1.x, host memory, compact or strided: strides are never NULL, lanes is 1,
 *                byte_offset is honoured; the first axis is the example
 *   types        f32 for features, outputs and attributions; u8 for masks, pixels and bytes
 *   rows         row i of an output depends on row i of the inputs alone, never on the other rows
 *   randomness   only from the seeds that a call hands over
 *   threads      [main]: only on the thread that called create, unless XB_ANY_THREAD
 *                [any]:  on any thread, also while another call runs
 *   errors       call set_error with a sentence, then return a status other than XB_OK
 */
#ifndef XBENCH_H_
#define XBENCH_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dlpack.h"

#ifdef __cplusplus
extern "C" {
#endif

#define XB_ABI_MAJOR 1 /* stands in the entry symbol's name too: a new major is a new symbol */
#define XB_ABI_MINOR 0 /* for messages only; never compared */

#if defined(_WIN32)
#define XB_EXPORT __declspec(dllexport)
#else
#define XB_EXPORT __attribute__((visibility("default")))
#endif

/* Does field f lie within what the other side compiled? */
#define XB_HAS(p, T, f) ((p)->struct_size >= offsetof(T, f) + sizeof((p)->f))

/* ---- status, kinds, flags --------------------------------------------------------------- */

typedef int32_t xb_status; /* numbering of the absl status codes */
enum {
  XB_OK = 0,
  XB_CANCELLED = 1,
  XB_INVALID_ARGUMENT = 3,
  XB_DEADLINE_EXCEEDED = 4,
  XB_NOT_FOUND = 5,
  XB_RESOURCE_EXHAUSTED = 8,
  XB_UNIMPLEMENTED = 12,
  XB_INTERNAL = 13
};

enum { XB_MODEL = 1, XB_EXPLAINER = 2, XB_DATASET = 3, XB_METRIC = 4 }; /* kinds of object */

enum { /* xb_descriptor.flags */
  XB_CONCURRENT = 1u << 0, /* calls on one object may overlap */
  XB_ANY_THREAD = 1u << 1, /* objects may be used off the thread that created them */
  XB_STOCHASTIC = 1u << 2, /* the result depends on the seeds */
  XB_WANTS_MASK = 1u << 3, /* explainers: xb_batch.mask is needed (a control, not a method) */
  XB_CONTROL = 1u << 4,    /* explainers: a reference row of the leaderboard, not a method */
  XB_WANTS_BACKGROUND = 1u << 5 /* explainers: xb_batch.background is needed */
};

enum { XB_LOG_ERROR = 1, XB_LOG_WARN = 2, XB_LOG_INFO = 3, XB_LOG_DEBUG = 4 };

typedef DLTensor xb_tensor;                /* borrowed for the call */
typedef DLManagedTensorVersioned xb_owned; /* the consumer calls ->deleter once, on any thread */

/* ---- the context of one call ------------------------------------------------------------- */

typedef struct xb_call { /* made by the host, valid until the call returns */
  uint32_t struct_size;
  uint32_t num_threads; /* cap on compute threads, the calling one included; at least 1 */
  void *host_data;      /* the host's own; do not touch */
  uint64_t seed;        /* for whatever is drawn once per call */
  int64_t deadline_ns;  /* on the clock of now_ns; INT64_MAX: none */
  DLDevice device;      /* where to compute */
  void *stream;         /* nullable: have finished when returning; else enqueue there */
  int64_t (*now_ns)(const struct xb_call *);                                      /* [any] */
  void (*set_error)(const struct xb_call *, xb_status, const char *text, size_t); /* [any] copies */
  void (*log)(const struct xb_call *, int32_t level, const char *text, size_t);   /* [any] copies */
  bool (*progress)(const struct xb_call *, double fraction); /* [any] false: return XB_CANCELLED */
} xb_call;

/* ---- objects, descriptors, the entry ------------------------------------------------------ */

typedef struct xb_object {
  uint32_t struct_size;
  uint32_t kind;
  void *self;
  /* [any] A constant table of functions, valid until destroy, or NULL where id is not served. */
  const void *(*get_extension)(const struct xb_object *, const char *id);
  void (*destroy)(struct xb_object *); /* [main] */
} xb_object;

typedef struct xb_descriptor { /* static data: a scan reads it and calls nothing */
  uint32_t struct_size;
  uint32_t kind;
  uint32_t flags;
  uint32_t max_batch;      /* rows a call may have; 0: no limit */
  const char *id;          /* reverse DNS, for ever the same method: "org.example.gradcam" */
  const char *name;        /* for people */
  const char *version;     /* semantic version; a part of every result's key */
  const char *license;     /* SPDX */
  const char *citation;    /* the paper: authors, title, year */
  const char *summary;     /* one sentence */
  const char *params_schema;         /* JSON Schema 2020-12 of create's params: an object */
  const char *const *provides;       /* NULL-terminated ids that get_extension may answer */
  const char *const *requires_model; /* NULL-terminated ids of the model; "a|b": either */
  xb_status (*create)(const struct xb_descriptor *, const xb_call *, const char *params_json,
                      size_t params_length, xb_object **out); /* [main] */
} xb_descriptor;

typedef struct xb_entry {
  uint32_t struct_size;
  uint16_t abi_major;
  uint16_t abi_minor;
  uint32_t num_descriptors;
  uint32_t reserved; /* 0 */
  const xb_descriptor *const *descriptors;
  xb_status (*init)(const xb_call *, const char *library_path); /* nullable; once, before create */
} xb_entry;

XB_EXPORT extern const xb_entry xbench_entry_v1; /* the one symbol a plugin library exports */

/* ---- what a model can do ------------------------------------------------------------------ */

#define XB_EXT_PREDICT "xbench.model.predict/1" /* every model */
enum { XB_LOGITS = 0, XB_PROBABILITIES = 1, XB_VALUES = 2 };
typedef struct xb_predict {
  uint32_t struct_size;
  uint32_t num_outputs;
  int32_t input_ndim; /* without the example axis */
  int32_t output_kind;
  const int64_t *input_shape;
  const char *input_layout; /* "nchw", "tabular", ... */
  /* x: f32 [n, input...]; y: f32 [n, outputs], filled in place */
  xb_status (*run)(const xb_object *, const xb_call *, const xb_tensor *x, xb_tensor *y);
} xb_predict;

#define XB_EXT_LAYERS "xbench.model.layers/1"
typedef struct xb_layer { /* stands in arrays, so it never grows: changes are a new revision */
  const char *name;       /* unique */
  const char *op;         /* "conv2d", "max_pool2d", "linear", ... after its non-linearity */
  int64_t ndim;           /* without the example axis */
  const int64_t *shape;
} xb_layer;
typedef struct xb_layers {
  uint32_t struct_size;
  uint32_t num_layers;
  const xb_layer *layers; /* in forward order */
  /* out: f32 [n, layer shape...] */
  xb_status (*activation)(const xb_object *, const xb_call *, const xb_tensor *x,
                          const char *layer, xb_owned **out);
} xb_layers;

#define XB_EXT_VJP "xbench.model.vjp/1"
typedef struct xb_vjp { /* gradient of sum(dy * y) with respect to the input or a layer */
  uint32_t struct_size;
  uint32_t reserved;
  /* dy: f32 [n, outputs]; wrt: nullable for the input, else a layer's name;
   * activation: nullable; the layer's value of the same pass; gradient: shaped alike */
  xb_status (*run)(const xb_object *, const xb_call *, const xb_tensor *x, const xb_tensor *dy,
                   const char *wrt, xb_owned **activation, xb_owned **gradient);
} xb_vjp;

#define XB_EXT_MODIFIED_VJP "xbench.model.modified_vjp/1"
typedef struct xb_modified_vjp { /* as vjp, but by another rule than the chain rule */
  uint32_t struct_size;
  uint32_t num_rules;
  /* which of: "guided" (ReLU passes what is positive where its value is), "deconvolution" (ReLU
   * passes what is positive), "deeplift" (DeepLIFT's rescale rule: the multipliers), "lrp_epsilon",
   * "lrp_gamma", "lrp_zplus", "lrp_composite" (epsilon in dense layers, z-plus in convolutions).
   * The rules of LRP give the relevance itself, beginning with dy * y. */
  const char *const *rules;
  /* rule: one of rules; parameter: its epsilon or gamma, else 0; reference: f32, shaped as x, with
   * "deeplift", else null; the others as in vjp */
  xb_status (*run)(const xb_object *, const xb_call *, const xb_tensor *x, const xb_tensor *dy,
                   const char *rule, double parameter, const xb_tensor *reference,
                   const char *wrt, xb_owned **activation, xb_owned **gradient);
} xb_modified_vjp;

#define XB_EXT_FORWARD_FROM "xbench.model.forward_from/1"
typedef struct xb_forward_from { /* the outputs that given values of a layer lead to */
  uint32_t struct_size;
  uint32_t reserved;
  /* layer: a name of layers/1 that all paths to the output pass; value: f32 [n, layer shape...];
   * y: f32 [n, outputs], filled in place */
  xb_status (*run)(const xb_object *, const xb_call *, const char *layer, const xb_tensor *value,
                   xb_tensor *y);
} xb_forward_from;

#define XB_EXT_BIASES "xbench.model.biases/1"
typedef struct xb_biases { /* what layers add before their non-linearity */
  uint32_t struct_size;
  uint32_t reserved;
  /* layer: a name of layers/1; bias: f32 [channels or units]; left NULL where it has none */
  xb_status (*get)(const xb_object *, const xb_call *, const char *layer, xb_owned **bias);
} xb_biases;

#define XB_EXT_LINEAR "xbench.model.linear/1"
typedef struct xb_linear { /* y = weight . spatial_mean(layer) + bias, as CAM needs it */
  uint32_t struct_size;
  uint32_t num_features;
  const char *layer; /* whose spatial mean the output is linear in; a name of layers/1 */
  /* weight: f32 [outputs, features]; bias: nullable, f32 [outputs] */
  xb_status (*weights)(const xb_object *, const xb_call *, xb_owned **weight, xb_owned **bias);
} xb_linear;

#define XB_EXT_SEGMENT "xbench.model.segment/1"
typedef struct xb_segment { /* a predicted object mask */
  uint32_t struct_size;
  uint32_t reserved;
  /* mask: f32 [n, h, w], the probability 0..1 that a pixel belongs to the object */
  xb_status (*run)(const xb_object *, const xb_call *, const xb_tensor *x, xb_owned **mask);
} xb_segment;

#define XB_EXT_TREES "xbench.model.trees/1"
typedef struct xb_tree_ensemble { /* y[k] = base[k] + sum of the leaves that a row reaches */
  uint32_t struct_size;
  uint32_t num_features;
  uint32_t num_outputs;
  uint32_t num_trees;
  uint32_t num_nodes;   /* of all trees */
  uint32_t leaf_values; /* per node: 1, or num_outputs */
  uint32_t strict;      /* a row goes left where x < threshold (1) or x <= threshold (0) */
  uint32_t reserved;
  const float *base;           /* [outputs] */
  const uint32_t *roots;       /* [trees]: number of the root; a tree's nodes follow it */
  const int32_t *tree_output;  /* [trees]: the output it adds to; -1: to all, leaf_values of them */
  const int32_t *feature;      /* [nodes]: what is compared; -1: a leaf */
  const float *threshold;      /* [nodes] */
  const uint32_t *left;        /* [nodes]: numbers of nodes; 0 in leaves */
  const uint32_t *right;       /* [nodes] */
  const uint8_t *default_left; /* [nodes]: 1 where NaN goes left */
  const float *cover;          /* [nodes]: training weight that reached the node */
  const float *gain;           /* [nodes]: by how much the split reduced the loss; 0 in leaves */
  const float *value;          /* [nodes, leaf_values]; 0 in inner nodes */
} xb_tree_ensemble;
typedef struct xb_trees { /* decision trees whose leaves add up to the outputs */
  uint32_t struct_size;
  uint32_t reserved;
  /* out->struct_size is the caller's; its pointers are valid until the object is changed */
  xb_status (*get)(const xb_object *, const xb_call *, xb_tree_ensemble *out);
} xb_trees;

#define XB_EXT_PARAMETERS "xbench.model.parameters/1"
enum {
  XB_RANDOMISE_CASCADE = 0, /* from the output down to the layer, inclusive */
  XB_RANDOMISE_SINGLE = 1   /* that layer alone */
};
typedef struct xb_parameters {
  uint32_t struct_size;
  uint32_t num_layers;
  const char *const *layers; /* names of the layers with parameters, in forward order */
  xb_status (*randomise)(xb_object *, const xb_call *, int32_t mode, const char *layer);
  xb_status (*restore)(xb_object *, const xb_call *); /* to what create, load or fit made */
  xb_status (*fingerprint)(const xb_object *, const xb_call *, uint8_t sha256[32]);
} xb_parameters;

#define XB_EXT_WEIGHTS "xbench.model.weights/1"
typedef struct xb_weights { /* the host does the files; bytes is u8 [length] */
  uint32_t struct_size;
  uint32_t reserved;
  const char *format; /* "safetensors", ... */
  xb_status (*save)(const xb_object *, const xb_call *, xb_owned **bytes);
  xb_status (*load)(xb_object *, const xb_call *, const uint8_t *bytes, size_t length);
} xb_weights;

#define XB_EXT_FIT "xbench.model.fit/1"
typedef struct xb_fit_step { /* a batch (epoch_done false) or a whole epoch (true) */
  uint32_t struct_size;
  uint32_t epoch_done;
  uint32_t epoch;  /* 1-based */
  uint32_t epochs; /* in all */
  uint32_t batch;  /* 1-based */
  uint32_t batches;
  double loss;     /* training: of the batch, or the mean of the epoch */
  double accuracy; /* training, 0..1 */
  double validation_loss;     /* NaN within an epoch */
  double validation_accuracy; /* NaN within an epoch */
  double learning_rate;
} xb_fit_step;
typedef struct xb_fit_monitor {
  uint32_t struct_size;
  uint32_t reserved;
  void *host_data;
  bool (*step)(const struct xb_fit_monitor *, const xb_fit_step *); /* false: XB_CANCELLED */
  const uint8_t *resume; /* nullable: the state that an interrupted training of the same model, */
  size_t resume_length;  /* settings and data kept last; go on from there, with the same bits */
  /* nullable; keeps the state, whole or not at all, in place of the last; false: it could not */
  bool (*checkpoint)(const struct xb_fit_monitor *, const uint8_t *state, size_t length);
} xb_fit_monitor;
typedef struct xb_fit {
  uint32_t struct_size;
  uint32_t reserved;
  /* data: an object that serves XB_EXT_ROWS; settings: a JSON object, "preset" among its keys.
   * report: u8 [length], a JSON object: the recipe that was followed and what it reached. */
  xb_status (*run)(xb_object *, const xb_call *, const xb_object *data, const char *settings,
                   size_t settings_length, const xb_fit_monitor *monitor, xb_owned **report);
} xb_fit;

/* ---- data, as a model's fit sees it --------------------------------------------------------- */

#define XB_EXT_ROWS "xbench.data.rows/1"
enum { XB_PIXELS = 0, XB_FEATURES = 1 }; /* images of 8-bit pixels, or a table of numbers */
typedef struct xb_rows {
  uint32_t struct_size;
  uint32_t num_classes;
  int64_t num_rows;
  int64_t input_ndim; /* without the example axis */
  const int64_t *input_shape;
  /* x: f32 [n, input...], as predict takes it, pixels divided by 255; or, of images, u8: the
   * pixels; label: int64_t[n]; rows: n indices below num_rows */
  xb_status (*read)(const xb_object *, const xb_call *, const int64_t *rows, size_t n, xb_tensor *x,
                    int64_t *label);
  uint32_t element; /* XB_PIXELS or XB_FEATURES */
  uint32_t reserved;
  int64_t num_validation; /* the last so many rows are the set's own validation split; 0: none */
  /* nullable: no masks; mask: u8 [n, h, w], 1 where the object is; present: uint8_t[n], 0 for a
   * row without a mask, whose pixels are then 0 */
  xb_status (*read_masks)(const xb_object *, const xb_call *, const int64_t *rows, size_t n,
                          xb_tensor *mask, uint8_t *present);
} xb_rows;

/* ---- what an explainer does ------------------------------------------------------------------ */

#define XB_EXT_EXPLAIN "xbench.explainer.explain/1"
typedef struct xb_batch {
  uint32_t struct_size;
  uint32_t reserved;
  const xb_tensor *x;     /* f32 [n, input...] */
  const int64_t *target;  /* [n]: the output that is explained, per row */
  const uint64_t *seed;   /* [n]: each row's own */
  const xb_tensor *mask;  /* nullable; u8 [n, h, w]: only where XB_WANTS_MASK is declared */
  /* nullable; f32 [m, input...]: rows of the training split, the same for every batch: only where
   * XB_WANTS_BACKGROUND is declared */
  const xb_tensor *background;
  /* nullable; [n]: how well a local surrogate fits each row (R squared); comes as NaN, which stays
   * where there is none */
  double *local_fit;
} xb_batch;
typedef struct xb_explain {
  uint32_t struct_size;
  uint32_t reserved;
  /* model: the host's proxy of the model; attribution: f32, shaped as x, filled in place */
  xb_status (*run)(const xb_object *, const xb_call *, const xb_object *model,
                   const xb_batch *batch, xb_tensor *attribution);
} xb_explain;

#ifdef __cplusplus
}
#endif
#endif /* XBENCH_H_ */
