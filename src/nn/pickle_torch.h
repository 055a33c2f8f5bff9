/* The names that torch.save() writes for tensors, and what they become: data. There is no other name that is
 * known, and nothing here runs code of a file.
 */
#ifndef VSM_NN_PICKLE_TORCH_H
#define VSM_NN_PICKLE_TORCH_H

#include "nn/pickled.h"

/* Reads a global's module and name, a line each, and pushes it. VSM_E_MODEL naming it if it is not known. */
int vsm_pickle_torch_global(struct vsm_pickled *p) VSM_NODISCARD;

/* In place of the tuple ('storage', class, key, location, elements) on top of the stack: the storage. */
int vsm_pickle_torch_storage(struct vsm_pickled *p) VSM_NODISCARD;

/* In place of a function and its arguments on top of the stack: an empty dictionary for OrderedDict(), a
 * tensor for _rebuild_tensor_v2(), which is added to `tensors` (of struct vsm_pickle_tensor), the parameter's
 * tensor for _rebuild_parameter(). */
int vsm_pickle_torch_call(struct vsm_pickled *p, struct vsm_pickled_table *tensors) VSM_NODISCARD;

#endif
