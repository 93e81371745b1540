/* A LiteRT external delegate for tests: takes nodes or none, as its options say, and computes 42.

   Options: take=all|none|fail (default all; fail: an error while the graph is changed),
   invoke=fail (an error in each inference), refuse=MESSAGE (creation fails with it).

   As soon as the library is loaded, it makes the file that the environment's TEST_DELEGATE_LOADED
   names, and writes into it where the VX driver of an i.MX 8M Plus would keep its graphs.

   LiteRT's headers are not needed: what is used of them is declared here.  It is the C ABI of
   tensorflow/lite/core/c/common.h and delegates/external/external_delegate_interface.h for 64-bit
   machines, the same from TensorFlow Lite 2.5 to LiteRT 2.3. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int size; int data[]; } IntArray;

typedef struct { /* TfLiteTensor, whole: they stand in an array */
  int32_t type;
  void *data;
  IntArray *dims;
  float scale;
  int32_t zero_point;
  int32_t allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  void *delegate;
  int buffer_handle;
  _Bool data_is_stale, is_variable;
  int32_t quantization_type;
  void *quantization_params;
  void *sparsity;
  const IntArray *dims_signature;
} Tensor;

typedef struct { IntArray *inputs, *outputs; } Node; /* only its beginning */

typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct { /* TfLiteRegistration, passed by value */
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *registration_external;
  void *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context { /* only its beginning */
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, IntArray **);
  Tensor *tensors;
  void *impl;
  int (*ResizeTensor)(Context *, Tensor *, IntArray *);
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *,
                                               Delegate *);
};

struct Delegate { /* TfLiteDelegate */
  void *data;
  int (*Prepare)(Context *, Delegate *);
  void *copy_from_buffer_handle, *copy_to_buffer_handle, *free_buffer_handle;
  int64_t flags;
  void *opaque_delegate_builder;
};

__attribute__((constructor)) static void loaded(void) {
  const char *mark = getenv("TEST_DELEGATE_LOADED");
  FILE *file = mark ? fopen(mark, "w") : NULL;
  if (!file) return;
  const char *keeps = getenv("VIV_VX_ENABLE_CACHE_GRAPH_BINARY");
  const char *folder = getenv("VIV_VX_CACHE_BINARY_GRAPH_DIR");
  fprintf(file, "%s %s", keeps ? keeps : "-", folder ? folder : "-");
  fclose(file);
}

static int kernel_prepare(Context *context, Node *node) { return 0; }

static int kernel_invoke(Context *context, Node *node) {
  for (int place = 0; place < node->outputs->size; place++) {
    Tensor *output = &context->tensors[node->outputs->data[place]];
    for (size_t one = 0; one < output->bytes / sizeof(float); one++) {
      ((float *)output->data)[one] = 42.0f;
    }
  }
  return 0;
}

static int failing_invoke(Context *context, Node *node) {
  context->ReportError(context, "the accelerator does not answer");
  return 1;
}

static int take_all(Context *context, Delegate *delegate) {
  IntArray *plan;
  int status = context->GetExecutionPlan(context, &plan);
  if (status) return status;
  Registration kernel = {.prepare = kernel_prepare,
                         .invoke = delegate->data ? failing_invoke : kernel_invoke,
                         .custom_name = "TestDelegate", .version = 1};
  return context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, plan, delegate);
}

static int take_none(Context *context, Delegate *delegate) { return 0; }

static int take_fail(Context *context, Delegate *delegate) {
  context->ReportError(context, "there is no accelerator");
  return 1;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report_error)(const char *)) {
  int (*prepare)(Context *, Delegate *) = take_all;
  int invoke_fails = 0;
  for (size_t place = 0; place < count; place++) {
    if (!strcmp(keys[place], "refuse")) {
      report_error(values[place]);
      return NULL;
    }
    if (!strcmp(keys[place], "take") && !strcmp(values[place], "none")) prepare = take_none;
    if (!strcmp(keys[place], "take") && !strcmp(values[place], "fail")) prepare = take_fail;
    if (!strcmp(keys[place], "invoke")) invoke_fails = 1;
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  if (delegate) {
    delegate->Prepare = prepare;
    delegate->data = invoke_fails ? delegate : NULL;
    delegate->flags = 1; /* dynamic tensors allowed: LiteRT then plans nothing beforehand */
  }
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
