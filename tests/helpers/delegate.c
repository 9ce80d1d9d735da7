/* An external delegate for TensorFlow Lite that can be told to fail, to hang, to crash and to come
 * back, as an Edge TPU does whose cable is loose.
 *
 * It takes the first ADD of the graph for itself and runs that operator's own kernel, so results
 * are those of the processor. MODE_FILE, given when this is compiled, holds one word: ok; absent, slow
 * or stuck (at load); fail, hang or crash (at invoke), tired (hang, but for the first). Layouts:
 * tensorflow/lite/core/c/common.h, tensorflow/lite/delegates/external/external_delegate_interface.h.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, ERROR = 1, BUILTIN_ADD = 0, BUILTIN_DELEGATE = 51 };

typedef struct { int size; int data[]; } IntArray;

typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void *user_data, *builtin_data;
  const void *custom_initial_data;
  int custom_initial_data_size;
  void *delegate;
  int might_have_side_effect;
} Node;

struct Context;

typedef struct {
  void *(*init)(struct Context *, const char *, size_t);
  void (*free)(struct Context *, void *);
  int (*prepare)(struct Context *, Node *);
  int (*invoke)(struct Context *, Node *);
  const char *(*profiling_string)(const struct Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *later[8]; /* what newer versions have added */
} Registration;

typedef struct Context {
  size_t tensors_size;
  int (*execution_plan)(struct Context *, IntArray **);
  void *tensors, *impl;
  int (*resize)(struct Context *, void *, IntArray *);
  void (*report)(struct Context *, const char *, ...);
  int (*add_tensors)(struct Context *, int, int *);
  int (*node)(struct Context *, int, Node **, Registration **);
  int (*replace)(struct Context *, Registration, const IntArray *, void *);
} Context;

typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void *builder;
} Delegate;

typedef struct {
  Node node;
  Registration kernel;
} Taken;

static int wanted(const char *word) {
  char mode[16] = "ok";
  FILE *file = fopen(MODE_FILE, "r");
  if (file) {
    if (fscanf(file, "%15s", mode) != 1) strcpy(mode, "ok");
    fclose(file);
  }
  return strcmp(mode, word) == 0;
}

static int taken_number, invoked;

static void *take(Context *context, const char *buffer, size_t length) {
  Taken *taken = calloc(1, sizeof *taken);
  Node *node;
  Registration *kernel;
  (void)buffer, (void)length;
  if (context->node(context, taken_number, &node, &kernel) != OK) return taken;
  taken->node = *node;
  memcpy(&taken->kernel, kernel, offsetof(Registration, later));
  return taken;
}

static void drop(Context *context, void *taken) {
  (void)context;
  free(taken);
}

static int prepare(Context *context, Node *node) {
  Taken *taken = node->user_data;
  return taken->kernel.prepare(context, &taken->node);
}

static int invoke(Context *context, Node *node) {
  Taken *taken = node->user_data;
  if (wanted("fail")) return ERROR;
  if (wanted("crash")) _exit(139);
  while (wanted("hang") || (invoked && wanted("tired"))) pause();
  invoked = 1;
  return taken->kernel.invoke(context, &taken->node);
}

static int prepare_graph(Context *context, Delegate *delegate) {
  Registration ours = {.init = take, .free = drop, .prepare = prepare, .invoke = invoke,
                       .builtin_code = BUILTIN_DELEGATE, .custom_name = "Loose", .version = 1};
  IntArray *plan, *one = malloc(sizeof *one + sizeof(int));
  for (int i = 0; context->execution_plan(context, &plan) == OK && i < plan->size; i++) {
    Node *node;
    Registration *kernel;
    if (context->node(context, plan->data[i], &node, &kernel) != OK) break;
    if (kernel->builtin_code != BUILTIN_ADD) continue;
    one->size = 1;
    one->data[0] = taken_number = plan->data[i];
    int result = context->replace(context, ours, one, delegate);
    free(one);
    return result;
  }
  free(one);
  return ERROR;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
  (void)keys, (void)values, (void)count;
  if (wanted("slow")) sleep(1);
  while (wanted("stuck")) pause();
  if (wanted("absent")) {
    if (report) report("no such accelerator");
    return NULL;
  }
  Delegate *delegate = calloc(1, sizeof *delegate);
  delegate->prepare = prepare_graph;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
