/* One set of the SAM 2 reference data: its manifest, and its arrays by name. */
#ifndef GOLDEN_SAM2_SET_H
#define GOLDEN_SAM2_SET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sam2_set {
    char folder[1024];
    json_t *manifest;
    const char *name;
};

/* False if the data is not there. */
bool sam2_set_open(struct sam2_set *set, const char *name);
void sam2_set_close(struct sam2_set *set);

int sam2_set_int(const struct sam2_set *set, const char *key);

/* An array of the set, decompressed. count is that of elements; dtype float32 unless noted in `entry`. */
struct sam2_array {
    const json_t *entry; /* of the manifest */
    void *file, *data;
    size_t count;
};

/* stage of an event (event >= 0), else of a frame (frame >= 0), else a constant. False if there is none; if
 * the file is broken the program ends. Free with sam2_array_free(). */
bool sam2_set_load(const struct sam2_set *set, const char *stage, int event, int frame,
                   struct sam2_array *array);
void sam2_array_free(struct sam2_array *array);

/* Compares a whole tensor with an array of the set, which may be crops of it. `data` is [C, H, W] as in the
 * manifest if tokens is false, [H * W, C] if true. Records the largest difference under the stage's name, to
 * be checked against max(`relative` * std of the array, floor). */
void sam2_set_compare(const struct sam2_set *set, const struct sam2_array *array, const char *stage,
                      const float *data, bool tokens, double relative, double floor);

/* Prints the largest absolute and the rms difference of every stage compared so far, and forgets them. */
void sam2_set_report(const char *title);

#endif
