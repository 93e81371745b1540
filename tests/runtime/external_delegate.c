/* A LiteRT external delegate for tests: takes nodes or none, as its options say.

   Options: take=all|none|fail (default all; fail: an error while the graph is changed),
   compute=42|zero|right|wrong (default 42 in every output; right: what the nodes compute by the
   runtime's own code; wrong: that, with the sign of every seventh output changed),
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

typedef struct Delegate Delegate;

typedef struct { /* TfLiteNode, whole: they are copied */
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_initial_data;
  int custom_initial_data_size;
  Delegate *delegate;
  _Bool might_have_side_effect;
} Node;

typedef struct Context Context;

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

typedef struct { /* TfLiteDelegateParams, what init is given */
  Delegate *delegate;
  IntArray *nodes, *inputs, *outputs;
} Taken;

typedef struct { Node node; Registration own; } Program; /* the one node that was taken */

static void *program_init(Context *context, const char *buffer, size_t length) {
  Program *program = malloc(sizeof *program);
  Node *node;
  Registration *own;
  const IntArray *taken = ((const Taken *)buffer)->nodes;
  if (taken->size != 1 || context->GetNodeAndRegistration(context, taken->data[0], &node, &own)) {
    abort();
  }
  *program = (Program){*node, *own};
  return program;
}

static void program_free(Context *context, void *program) { free(program); }

static int program_prepare(Context *context, Node *node) {
  Program *program = node->user_data;
  program->node.temporaries = node->temporaries; /* for which the runtime then plans memory */
  int status = program->own.prepare(context, &program->node);
  node->temporaries = program->node.temporaries;
  return status;
}

static int program_invoke(Context *context, Node *node) {
  Program *program = node->user_data;
  return program->own.invoke(context, &program->node);
}

static int zero_invoke(Context *context, Node *node) {
  for (int place = 0; place < node->outputs->size; place++) {
    Tensor *output = &context->tensors[node->outputs->data[place]];
    memset(output->data, 0, output->bytes);
  }
  return 0;
}

static int wrong_invoke(Context *context, Node *node) {
  int status = program_invoke(context, node);
  for (int place = 0; place < node->outputs->size; place++) {
    Tensor *output = &context->tensors[node->outputs->data[place]];
    /* 4 bytes a number or one: of a float32 the sign, of an integer the highest bit */
    size_t step = output->type == 1 ? 4 : 1;
    for (size_t byte = step - 1; byte < output->bytes; byte += 7 * step) {
      ((uint8_t *)output->data)[byte] ^= 0x80;
    }
  }
  return status;
}

static int failing_invoke(Context *context, Node *node) {
  context->ReportError(context, "the accelerator does not answer");
  return 1;
}

typedef int (*Invoke)(Context *, Node *);

/* Whether no node of the plan reads what this one writes: its outputs are the network's. */
static int is_last(Context *context, const IntArray *plan, int index) {
  Node *node, *other;
  Registration *own;
  if (context->GetNodeAndRegistration(context, index, &node, &own)) abort();
  int output = node->outputs->data[0];
  for (int place = 0; place < plan->size; place++) {
    if (context->GetNodeAndRegistration(context, plan->data[place], &other, &own)) abort();
    for (int one = 0; one < other->inputs->size; one++) {
      if (other->inputs->data[one] == output) return 0;
    }
  }
  return 1;
}

/* Each node by itself: the runtime plans memory for what lies between them. */
static int take_each(Context *context, Delegate *delegate, const IntArray *plan, Invoke invoke) {
  Registration kernel = {.init = program_init, .free = program_free, .prepare = program_prepare,
                         .custom_name = "TestDelegate", .version = 1};
  IntArray *one = malloc(sizeof *one + sizeof(int)), *nodes = malloc(sizeof *one + plan->size * 4);
  memcpy(nodes, plan, sizeof *plan + plan->size * sizeof(int)); /* the plan changes below */
  int status = 0;
  for (int place = 0; place < nodes->size && !status; place++) {
    *one = (IntArray){1};
    one->data[0] = nodes->data[place];
    kernel.invoke = is_last(context, nodes, one->data[0]) ? invoke : program_invoke;
    status = context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, one, delegate);
  }
  free(one);
  free(nodes);
  return status;
}

static int take_all(Context *context, Delegate *delegate) {
  IntArray *plan;
  int status = context->GetExecutionPlan(context, &plan);
  if (status) return status;
  Invoke invoke = *(Invoke *)delegate->data;
  if (invoke == program_invoke || invoke == wrong_invoke) {
    return take_each(context, delegate, plan, invoke);
  }
  Registration kernel = {.prepare = kernel_prepare, .invoke = invoke,
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
  Invoke invoke = kernel_invoke;
  for (size_t place = 0; place < count; place++) {
    if (!strcmp(keys[place], "refuse")) {
      report_error(values[place]);
      return NULL;
    }
    if (!strcmp(keys[place], "take") && !strcmp(values[place], "none")) prepare = take_none;
    if (!strcmp(keys[place], "take") && !strcmp(values[place], "fail")) prepare = take_fail;
    if (!strcmp(keys[place], "invoke")) invoke = failing_invoke;
    if (!strcmp(keys[place], "compute") && !strcmp(values[place], "zero")) invoke = zero_invoke;
    if (!strcmp(keys[place], "compute") && !strcmp(values[place], "right")) invoke = program_invoke;
    if (!strcmp(keys[place], "compute") && !strcmp(values[place], "wrong")) invoke = wrong_invoke;
  }
  Delegate *delegate = calloc(1, sizeof *delegate + sizeof invoke);
  if (delegate) {
    delegate->Prepare = prepare;
    delegate->data = memcpy(delegate + 1, &invoke, sizeof invoke);
    delegate->flags = 1; /* dynamic tensors allowed: LiteRT then plans nothing beforehand */
  }
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
