/* A whole model plugin in C: ten logits of 28 x 28 grey images, linear in the pixels,
 *   y[k] = sum over i of weight(k, i) * x[i],
 * with a fixed pattern as weights, so that anyone can check the outputs. */
#include <stdlib.h>
#include <string.h>

#include "xbench.h"

enum { CLASSES = 10, SIDE = 28, PIXELS = SIDE * SIDE };

static float weight(int k, int i) { return (float)((7 * k + 3 * i) % 11 - 5) / PIXELS; }

static xb_status fail(const xb_call *call, xb_status status, const char *text) {
  call->set_error(call, status, text, strlen(text));
  return status;
}

/* Extents after the example axis are c, h, w (images) or k (outputs). */
static bool fits(const xb_tensor *t, int64_t n, const int64_t *shape, int ndim) {
  bool same = t->ndim == ndim + 1 && t->dtype.code == kDLFloat && t->dtype.bits == 32 &&
              t->device.device_type == kDLCPU && (n < 0 || t->shape[0] == n);
  for (int axis = 0; same && axis < ndim; axis++) same = t->shape[axis + 1] == shape[axis];
  return same;
}

static float *at(const xb_tensor *t, int64_t offset) {
  return (float *)((char *)t->data + t->byte_offset) + offset;
}
static float *pixel(const xb_tensor *t, int64_t n, int i) {
  return at(t, n * t->strides[0] + i / SIDE * t->strides[2] + i % SIDE * t->strides[3]);
}
static float *output(const xb_tensor *t, int64_t n, int k) {
  return at(t, n * t->strides[0] + k * t->strides[1]);
}

static const int64_t image[] = {1, SIDE, SIDE}, classes[] = {CLASSES};

static xb_status predict(const xb_object *o, const xb_call *call, const xb_tensor *x,
                         xb_tensor *y) {
  (void)o;
  if (!fits(x, -1, image, 3)) return fail(call, XB_INVALID_ARGUMENT, "x: expected f32 [n,1,28,28]");
  if (!fits(y, x->shape[0], classes, 1))
    return fail(call, XB_INVALID_ARGUMENT, "y: expected f32 [n,10]");
  for (int64_t n = 0; n < x->shape[0]; n++)
    for (int k = 0; k < CLASSES; k++) {
      float sum = 0;
      for (int i = 0; i < PIXELS; i++) sum += weight(k, i) * *pixel(x, n, i);
      *output(y, n, k) = sum;
    }
  return XB_OK;
}

/* A result that the host frees by calling its deleter. */
typedef struct {
  xb_owned owned;
  int64_t shape[4], strides[4];
  float data[];
} result;

static void release(xb_owned *owned) { free(owned->manager_ctx); }

static xb_status vjp(const xb_object *o, const xb_call *call, const xb_tensor *x,
                     const xb_tensor *dy, const char *wrt, xb_owned **activation,
                     xb_owned **gradient) {
  (void)o;
  if (wrt || activation) return fail(call, XB_UNIMPLEMENTED, "vjp: only for the input's gradient");
  if (!fits(x, -1, image, 3) || !fits(dy, x->shape[0], classes, 1))
    return fail(call, XB_INVALID_ARGUMENT, "vjp: expected x [n,1,28,28] and dy [n,10]");
  int64_t rows = x->shape[0];
  result *r = calloc(1, sizeof *r + (size_t)rows * PIXELS * sizeof(float));
  if (!r) return fail(call, XB_RESOURCE_EXHAUSTED, "vjp: out of memory");
  for (int64_t n = 0; n < rows; n++)
    for (int k = 0; k < CLASSES; k++)
      for (int i = 0; i < PIXELS; i++)
        r->data[n * PIXELS + i] += *output(dy, n, k) * weight(k, i);
  memcpy(r->shape, (int64_t[]){rows, 1, SIDE, SIDE}, sizeof r->shape);
  memcpy(r->strides, (int64_t[]){PIXELS, PIXELS, SIDE, 1}, sizeof r->strides);
  r->owned.version = (DLPackVersion){DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
  r->owned.manager_ctx = r;
  r->owned.deleter = release;
  r->owned.dl_tensor = (DLTensor){r->data, {kDLCPU, 0}, 4, {kDLFloat, 32, 1}, r->shape,
                                  r->strides, 0};
  *gradient = &r->owned;
  return XB_OK;
}

static const xb_predict predict_table = {sizeof predict_table, CLASSES, 3, XB_LOGITS, image,
                                         "nchw", predict};
static const xb_vjp vjp_table = {sizeof vjp_table, 0, vjp};

static const void *get_extension(const xb_object *o, const char *id) {
  (void)o;
  if (strcmp(id, XB_EXT_PREDICT) == 0) return &predict_table;
  if (strcmp(id, XB_EXT_VJP) == 0) return &vjp_table;
  return NULL;
}

static void destroy(xb_object *o) { free(o); }

static xb_status create(const xb_descriptor *d, const xb_call *call, const char *params,
                        size_t length, xb_object **out) {
  (void)d;
  for (size_t i = 0; i < length; i++)
    if (!strchr("{} \t\r\n", params[i]))
      return fail(call, XB_INVALID_ARGUMENT, "this model has no parameters");
  xb_object *o = calloc(1, sizeof *o);
  if (!o) return fail(call, XB_RESOURCE_EXHAUSTED, "create: out of memory");
  *o = (xb_object){sizeof *o, XB_MODEL, NULL, get_extension, destroy};
  *out = o;
  return XB_OK;
}

static const char *const provides[] = {XB_EXT_PREDICT, XB_EXT_VJP, NULL};
static const char *const requires_model[] = {NULL};
static const xb_descriptor linear = {
    sizeof linear, XB_MODEL, XB_ANY_THREAD | XB_CONCURRENT, 0,
    "org.xbench.example.linear-c", "Linear model in C", "0.1.0", "MIT OR Apache-2.0", "none",
    "Ten logits, linear in the pixels with a fixed pattern of weights.",
    "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
    provides, requires_model, create};
static const xb_descriptor *const descriptors[] = {&linear};

XB_EXPORT const xb_entry xbench_entry_v1 = {
    sizeof xbench_entry_v1, XB_ABI_MAJOR, XB_ABI_MINOR, 1, 0, descriptors, NULL};
