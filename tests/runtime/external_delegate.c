/* A LiteRT external delegate for tests: takes nodes or none, as its options say.

   Options: take=all|none|fail (default all; fail: an error while the graph is changed),
   compute=42|right|wrong (default 42 in every output; right: what the nodes compute by the
   runtime's own code; wrong: that, with every seventh output byte changed),
   invoke=fail (an error in each inference), refuse=MESSAGE (creation fails with it).

   LiteRT's headers are not needed: what is used of them is declared here.  It is the C ABI of
   tensorflow/lite/core/c/common.h and delegates/external/external_delegate_interface.h for 64-bit
   machines, the same from TensorFlow Lite 2.5 to LiteRT 2.3. */

#include <stddef.h>
#include <stdint.h>
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

typedef struct { int tensor; size_t bytes; void *data; } Buffer;

typedef struct { /* the nodes that were taken, which the runtime no longer plans nor runs */
  int buffers;
  Buffer *buffer; /* of each tensor between two of them, for which the runtime has no memory */
  int parts;
  struct { Node node; Registration own; } part[];
} Program;

static void *program_init(Context *context, const char *buffer, size_t length) {
  const IntArray *taken = ((const Taken *)buffer)->nodes;
  Program *program = calloc(1, sizeof *program + taken->size * sizeof program->part[0]);
  program->parts = taken->size;
  for (int place = 0; place < taken->size; place++) {
    Node *node;
    Registration *own;
    if (context->GetNodeAndRegistration(context, taken->data[place], &node, &own)) abort();
    program->part[place].node = *node;
    program->part[place].node.temporaries = calloc(1, sizeof(IntArray)); /* it will be freed */
    program->part[place].own = *own;
  }
  return program;
}

static void release_buffers(Program *program) {
  for (int place = 0; place < program->buffers; place++) free(program->buffer[place].data);
  free(program->buffer);
  program->buffer = NULL;
  program->buffers = 0;
}

static void program_free(Context *context, void *given) {
  Program *program = given;
  release_buffers(program);
  for (int place = 0; place < program->parts; place++) free(program->part[place].node.temporaries);
  free(program);
}

static void add_buffers(Context *context, Program *program, const IntArray *tensors,
                        const IntArray *planned) {
  program->buffer =
      realloc(program->buffer, (program->buffers + tensors->size) * sizeof(Buffer) + 1);
  for (int place = 0; place < tensors->size; place++) {
    int index = tensors->data[place], is_planned = index < 0;
    for (int one = 0; one < planned->size; one++) is_planned |= planned->data[one] == index;
    if (is_planned || context->tensors[index].allocation_type == 4 /* dynamic */) continue;
    size_t bytes = context->tensors[index].bytes;
    program->buffer[program->buffers++] =
        (Buffer){index, bytes, aligned_alloc(64, (bytes / 64 + 2) * 64)};
  }
}

static int program_prepare(Context *context, Node *node) {
  Program *program = node->user_data;
  release_buffers(program);
  for (int place = 0; place < program->parts; place++) {
    Node *part = &program->part[place].node;
    int status = program->part[place].own.prepare(context, part);
    if (status) return status;
    add_buffers(context, program, part->outputs, node->outputs);
    add_buffers(context, program, part->temporaries, node->outputs);
  }
  return 0;
}

static int program_invoke(Context *context, Node *node) {
  Program *program = node->user_data;
  for (int place = 0; place < program->buffers; place++) {
    Buffer *buffer = &program->buffer[place];
    context->tensors[buffer->tensor].data = buffer->data;
    context->tensors[buffer->tensor].bytes = buffer->bytes;
  }
  for (int place = 0; place < program->parts; place++) {
    int status = program->part[place].own.invoke(context, &program->part[place].node);
    if (status) return status;
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

static int take_all(Context *context, Delegate *delegate) {
  IntArray *plan;
  int status = context->GetExecutionPlan(context, &plan);
  if (status) return status;
  Invoke invoke = *(Invoke *)delegate->data;
  int computes = invoke == program_invoke || invoke == wrong_invoke;
  Registration kernel = {.init = computes ? program_init : NULL,
                         .free = computes ? program_free : NULL,
                         .prepare = computes ? program_prepare : kernel_prepare,
                         .invoke = invoke,
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
