/* Whom a matte's parts belong to, and a soft gate that lets only the chosen people's parts through.
 *
 * Works on one view's grid, a quarter of it where that is fine enough. The matte falls into people like this:
 * what lies inside one box only, or near the upright middle of a box where boxes overlap, is that person's;
 * from there it grows along the matte, so that an outstretched hand stays with its body and two who touch are
 * parted half-way; what hangs together with nobody belongs to the box it lies in, else to nobody. What is not
 * matte goes to the nearest part within a tenth of the grid, so that soft borders keep their alpha. Rivals,
 * who were missed, have a say only outside the boxes of people in sight, for they may have gone; but what
 * lies in a rival's box too is not somebody's because of the box alone. The gate is 1 for the chosen, 0 for
 * the others and for nobody, with a soft step of a hundredth of the grid between them. No state from frame to
 * frame; same input, same bits.
 */
#ifndef VSM_PEOPLE_GATE_H
#define VSM_PEOPLE_GATE_H

#include "base/status.h"
#include "frame/people.h"
#include "geometry/view_map.h"

#include <stdbool.h>

/* A person on the view's grid, in grid cells; may reach outside. */
struct vsm_gate_box {
    float left, top, right, bottom;
    float parallax; /* the nearer one is in front */
    bool chosen;
    bool rival; /* out of sight; behind all the others in a list */
};

#define VSM_GATE_BOXES (2 * VSM_MAX_PEOPLE)

/* The boxes round what a view sees of people's and rivals' boxes in its eye (`width` x `height` luma
 * samples): the one place where they meet a view's grid. Returns their number. */
int vsm_gate_boxes_of(const struct vsm_view_map *map, int width, int height, const struct vsm_people *people,
                      enum vsm_eye eye, struct vsm_gate_box boxes[VSM_GATE_BOXES]);

struct vsm_gate;

/* For grids of width x height, both >= 16. Memory: 4 bytes a cell. */
int vsm_gate_create(int width, int height, struct vsm_gate **gate) VSM_NODISCARD;
void vsm_gate_destroy(struct vsm_gate *gate);

/* alpha: the matte, width * height values; open: receives the gate likewise, 0..1 (may be alpha's memory). At
 * most VSM_GATE_BOXES boxes. Cost: 3 ms for 512x512. */
void vsm_gate_make(struct vsm_gate *gate, const float *alpha, const struct vsm_gate_box *boxes, int count,
                   float *open);

#endif
