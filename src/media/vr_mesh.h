/* Reads a mesh projection box (mshp; Google, spherical video V2 RFC) and finds which plain projection its
 * meshes follow.
 *
 * Layout: version and flags (4 bytes), CRC-32 of all that follows it, encoding ("raw " or "dfl8", deflate
 * without header), and then, encoded, one mesh box for both eyes or one for each, the left one first. A mesh
 * box is a table of float32 coordinates, vertices as five packed differences of table indices (x, y, z, u,
 * v), and lists of vertices that make triangles, as packed differences too; differences are zigzag codes,
 * most significant bit first, of the fewest bits that hold twice the table's size. -Z is forward, +Y up, v
 * counts upwards.
 *
 * Google's format for VR180 cameras demands such a box; what their meshes show is a fisheye.
 */
#ifndef VSM_MEDIA_VR_MESH_H
#define VSM_MEDIA_VR_MESH_H

#include "media/mp4_boxes.h"
#include "media/video_info.h"

/* Larger boxes are refused; a grid of 40 x 40 takes about 30 kB. */
#define VSM_VR_MESH_MAX_BYTES    ((size_t)8 << 20)   /* of the box, and of what it decodes to */
#define VSM_VR_MESH_MAX_VERTICES ((uint32_t)1 << 18) /* 512 x 512 */
#define VSM_VR_MESH_MAX_INDICES  ((uint32_t)1 << 22)

/* Longest side of a triangle at which vertices still tell what lies between them, degrees: a grid of 9 over
 * 180. */
#define VSM_VR_MESH_MAX_EDGE 23.0

/* Reads the box's meshes into *meshes. What is wrong with them is told by meshes->fault, not by the status,
 * as the user may set the projection. VSM_E_NOMEM; VSM_E_INPUT if the file cannot be read. */
int vsm_vr_mesh_read(const struct vsm_mp4_source *source, const struct vsm_mp4_box *mshp,
                     struct vsm_vr_meshes *meshes) VSM_NODISCARD;

/* The same for bytes behind the CRC, encoding first: VSM_E_INPUT with what is wrong. Any bytes: bounded time,
 * and at most 40 MiB of memory meanwhile. */
int vsm_vr_mesh_parse(const void *data, size_t size, struct vsm_vr_meshes *meshes) VSM_NODISCARD;

#endif
