/* A model that keeps to the contract, or breaks one rule of it: create's params say which.
 * y0 = x0 + x1 + x2 + x3, y1 = x0 - x3; the layer "pixels" is the input. At most 3 rows a call. */
#include "xbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char lie[64];
static int live_results;

static bool lies(const char *what) { return strcmp(lie, what) == 0; }

static xb_status fail(const xb_call *call, xb_status status, const char *text) {
  call->set_error(call, status, text, strlen(text));
  return status;
}

/* ---- results ---------------------------------------------------------------------------- */

typedef struct {
  xb_owned owned;
  int64_t shape[4], strides[4];
  float *data;
} result;

static void delete_result(xb_owned *owned) {
  result *self = (result *)owned->manager_ctx;
  live_results--;
  free(self->data);
  free(self);
}

static result *new_result(int64_t n) {
  result *self = calloc(1, sizeof *self);
  live_results++;
  self->data = calloc((size_t)(4 * n + 4), sizeof(float));
  self->shape[0] = n, self->shape[1] = 1, self->shape[2] = 2, self->shape[3] = 2;
  self->strides[0] = 4, self->strides[1] = 4, self->strides[2] = 2, self->strides[3] = 1;
  if (lies("strided")) { /* no lie: the contract allows it */
    self->strides[0] = 1, self->strides[1] = n, self->strides[2] = n, self->strides[3] = 2 * n;
  }
  self->owned.version.major = lies("version") ? 2 : DLPACK_MAJOR_VERSION;
  self->owned.version.minor = DLPACK_MINOR_VERSION;
  self->owned.manager_ctx = self;
  self->owned.deleter = delete_result;
  self->owned.dl_tensor.data = self->data;
  self->owned.dl_tensor.device.device_type = lies("device") ? kDLCUDA : kDLCPU;
  self->owned.dl_tensor.ndim = 4;
  self->owned.dl_tensor.dtype.code = kDLFloat;
  self->owned.dl_tensor.dtype.bits = lies("dtype") ? 64 : 32;
  self->owned.dl_tensor.dtype.lanes = 1;
  self->owned.dl_tensor.shape = self->shape;
  self->owned.dl_tensor.strides = lies("strides-null") ? NULL : self->strides;
  if (lies("shape")) self->shape[3] = 1;
  if (lies("rows")) self->shape[0] = n + 1;
  if (lies("ndim")) self->owned.dl_tensor.ndim = 3;
  return self;
}

static void put(result *self, int64_t row, int pixel, float value) {
  self->data[row * self->strides[0] + (pixel / 2) * self->strides[2] +
             (pixel % 2) * self->strides[3]] = value;
}

static float get(const xb_tensor *t, int64_t row, int64_t column) {
  const float *first = (const float *)((const char *)t->data + t->byte_offset);
  if (t->ndim == 2) return first[row * t->strides[0] + column * t->strides[1]];
  return first[row * t->strides[0] + (column / 2) * t->strides[2] + (column % 2) * t->strides[3]];
}

/* ---- the model -------------------------------------------------------------------------- */

static xb_status predict(const xb_object *self, const xb_call *call, const xb_tensor *x,
                         xb_tensor *y) {
  (void)self;
  char text[64];
  int length = snprintf(text, sizeof text, "live results: %d", live_results);
  call->log(call, XB_LOG_INFO, text, (size_t)length);
  if (x->shape[0] > 3) return fail(call, XB_INVALID_ARGUMENT, "more than 3 rows");
  if (lies("silent")) return XB_INTERNAL;
  if (lies("status")) return 77;
  if (lies("unwritten")) return XB_OK;
  float *out = (float *)((char *)y->data + y->byte_offset);
  for (int64_t i = 0; i < x->shape[0]; i++) {
    out[i * y->strides[0]] = get(x, i, 0) + get(x, i, 1) + get(x, i, 2) + get(x, i, 3);
    out[i * y->strides[0] + y->strides[1]] = get(x, i, 0) - get(x, i, 3);
  }
  return XB_OK;
}

static xb_status activation(const xb_object *self, const xb_call *call, const xb_tensor *x,
                            const char *layer, xb_owned **out) {
  (void)self, (void)layer;
  if (x->shape[0] > 3) return fail(call, XB_INVALID_ARGUMENT, "more than 3 rows");
  if (lies("null")) return XB_OK;
  result *made = new_result(x->shape[0]);
  for (int64_t i = 0; i < x->shape[0]; i++)
    for (int p = 0; p < 4; p++) put(made, i, p, get(x, i, p));
  *out = &made->owned;
  return XB_OK;
}

static xb_status vjp(const xb_object *self, const xb_call *call, const xb_tensor *x,
                     const xb_tensor *dy, const char *wrt, xb_owned **value, xb_owned **gradient) {
  if (x->shape[0] > 3) return fail(call, XB_INVALID_ARGUMENT, "more than 3 rows");
  if (lies("null")) return XB_OK;
  if (value) activation(self, call, x, wrt, value);
  result *made = new_result(x->shape[0]);
  for (int64_t i = 0; i < x->shape[0]; i++)
    for (int p = 0; p < 4; p++)
      put(made, i, p, get(dy, i, 0) + (p == 0 ? get(dy, i, 1) : p == 3 ? -get(dy, i, 1) : 0));
  *gradient = &made->owned;
  return XB_OK;
}

static int64_t shape[3] = {1, 2, 2};
static xb_layer layer_list[1] = {{"pixels", "identity", 3, shape}};
static xb_predict predict_table = {sizeof(xb_predict), 2, 3, XB_LOGITS, shape, "nchw", predict};
static xb_layers layers_table = {sizeof(xb_layers), 1, layer_list, activation};
static xb_vjp vjp_table = {sizeof(xb_vjp), 0, vjp};

static const void *get_extension(const xb_object *self, const char *id) {
  (void)self;
  if (strcmp(id, XB_EXT_PREDICT) == 0) return &predict_table;
  if (strcmp(id, XB_EXT_LAYERS) == 0) return &layers_table;
  if (strcmp(id, XB_EXT_VJP) == 0) return lies("undeclared") ? NULL : &vjp_table;
  return NULL;
}

static void destroy(xb_object *self) { free(self); }

static xb_status create(const xb_descriptor *descriptor, const xb_call *call, const char *params,
                        size_t length, xb_object **out) {
  (void)descriptor, (void)call;
  /* {"lie":"..."} */
  memset(lie, 0, sizeof lie);
  if (length > 10 && length < sizeof lie) memcpy(lie, params + 8, length - 10);
  predict_table.num_outputs = lies("outputs") ? 0 : 2;
  predict_table.struct_size = lies("table") ? 8 : sizeof(xb_predict);
  shape[2] = lies("extent") ? 100000 : 2;
  if (lies("no-object")) return XB_OK;
  xb_object *self = calloc(1, sizeof *self);
  self->struct_size = sizeof *self;
  self->kind = lies("kind") ? XB_EXPLAINER : XB_MODEL;
  self->get_extension = get_extension;
  self->destroy = destroy;
  *out = self;
  return XB_OK;
}

static const char *const provides[] = {XB_EXT_PREDICT, XB_EXT_LAYERS, XB_EXT_VJP, NULL};
static const char *const requires_model[] = {NULL};
static const xb_descriptor descriptor = {
    sizeof(xb_descriptor), XB_MODEL, 0, 3, "org.xbench.fixture.liar", "Liar", "0.1.0", "MIT", "",
    "Breaks one rule of the contract.",
    "{\"type\": \"object\", \"properties\": {\"lie\": {\"type\": \"string\", \"default\": \"\"}}}",
    provides, requires_model, create};
static const xb_descriptor *const descriptors[] = {&descriptor};

#ifndef MAJOR
#define MAJOR XB_ABI_MAJOR
#endif
#ifdef CRASH
__attribute__((constructor)) static void crash(void) { abort(); }
#endif
#ifdef NO_ENTRY
#define xbench_entry_v1 another_entry
#endif
XB_EXPORT const xb_entry xbench_entry_v1 = {
    sizeof(xb_entry), MAJOR, XB_ABI_MINOR, 1, 0, descriptors, NULL};
