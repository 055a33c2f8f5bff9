/* From what an mshp box's meshes follow (vr_mesh.h) to the layout and the eyes' lenses.
 *
 * Taken are meshes that are, within VSM_VR_MESH_LENS_TOLERANCE at every vertex, a half-equirect picture that
 * fills its eye, or an equidistant fisheye with square pixels and any field of view, centre and radius. Pure
 * functions, any thread.
 */
#ifndef VSM_MEDIA_VR_MESH_LENS_H
#define VSM_MEDIA_VR_MESH_LENS_H

#include "base/status.h"
#include "media/video_info.h"

#include <stdbool.h>

/* Degrees. A cell of the largest grid that a network sees takes 0.23, a pixel of a 4096 wide eye 0.044. */
#define VSM_VR_MESH_LENS_TOLERANCE 0.05

/* Whether two meshes lie in different parts of the picture (st3d "custom"), and how then the eyes share
 * it. */
bool vsm_vr_mesh_lens_layout(const struct vsm_vr_meshes *meshes, enum vsm_layout *layout, bool *right_left);

/* The lenses of `count` eyes whose rectangles are given, in a picture of width x height pixels. Both see
 * equally far, which is as far as both meshes go. VSM_E_INPUT: "is a ..., but ..." or "has ...", to go behind
 * "its mesh (mshp box) ". */
int vsm_vr_mesh_lens_of(const struct vsm_vr_meshes *meshes, int width, int height,
                        const struct vsm_rect eyes[2], int count, struct vsm_lens lenses[2]) VSM_NODISCARD;

#endif
