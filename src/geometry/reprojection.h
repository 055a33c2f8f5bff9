/* Draws both eyes in another projection than the source's: as fisheye circles, with mattes packed beside them
 * or without, or as half-equirect squares.
 *
 * A frame is 2H x H, the left eye's square first. Each eye is an equidistant fisheye circle of diameter H on
 * a flat colour, or, with half_equirect, the whole square.
 *
 * With mattes, and on black, it is the alpha-packed layout that VR players unpack ("DeoVR alpha"). The eye's
 * matte in the same projection, scaled by 0.4 and cut to its disc, lies in the black corners, as discs round
 * points of the frame's border: the left eye's round (H, H) with its upper half and round (H, 0) with its
 * lower half, the right eye's round (2H, H), (0, H), (2H, 0) and (0, 0) with the upper left, upper right,
 * lower left and lower right quarter. So a reader finds the left eye's matte at (x, y) in 0..1 at U = 0.4 +
 * 0.2 x, V = 0.8 + 0.4 y (y < 0.5) or 0.4 y - 0.2 of the frame. Discs and circles are at least 0.0071 H
 * apart. Source: the shader of a reader (tucaVR) and four writers that agree with it.
 *
 * Every sample of the frame is looked up in the source by the inverse mapping of its middle (circle_map.h),
 * so any H is exact; cutting and pasting tiles would be off by up to 0.8 pixels where 0.4 H is not a whole
 * number (2048, 4096). Pictures are sampled bilinearly, and so is the matte: at half size (means of 2 x 2) if
 * it is at least 0.8 H high, as a disc's pixel then covers more than two samples across. Chroma samples are
 * taken as centred in the pixels that they cover, in the source and here. C reference and AVX2 give identical
 * bits.
 */
#ifndef VSM_GEOMETRY_REPROJECTION_H
#define VSM_GEOMETRY_REPROJECTION_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/image.h"
#include "frame/view.h"

#define VSM_REPROJECTION_ALIGNMENT 16 /* of H: what decoders keep without cropping */
#define VSM_REPROJECTION_MIN       64
#define VSM_REPROJECTION_MAX       16384

struct vsm_reprojection_options {
    struct vsm_lens lens;    /* of the source's eyes: half-equirect or fisheye, the circle within the eye */
    struct vsm_rect eyes[2]; /* left and right in the source picture: even, of one size, at least 32 x 32 */
    bool half_equirect;      /* draw squares that show half the sphere, no circles; without mattes only */
    double field_of_view; /* degrees across a circle, 180 for a square; what the source lacks is background */
    int height;           /* H, a multiple of VSM_REPROJECTION_ALIGNMENT */
    struct vsm_format format; /* of picture and frame: planar, not shifted */
    /* Code values by plane: of the background, and of the discs where alpha is 0 and 1. */
    int background[4], alpha_zero[4], alpha_one[4];
};

struct vsm_reprojection;

/* Computes the mapping: about 0.04 H^2 nodes of 150 ns and 8 bytes (6 MiB at H 4096). VSM_E_USAGE for a field
 * of view out of range, VSM_E_INTERNAL for sizes and formats that do not fit, VSM_E_NOMEM. */
int vsm_reprojection_create(const struct vsm_reprojection_options *options,
                            struct vsm_reprojection **reprojection) VSM_NODISCARD;
void vsm_reprojection_destroy(struct vsm_reprojection *reprojection);

/* Height to use for eyes of this height: the next multiple of the alignment, within the limits. */
int vsm_reprojection_height(int eye_height);

/* Bytes that a reprojection of this height holds for eyes as high: its mapping and a matte at half size. */
size_t vsm_reprojection_bytes(int height);

/* Draws a frame from the source's picture and its matte (NULL: no discs). picture: host, as
 * vsm_image_create() makes it; matte: likewise, GRAY of the picture's size, 16 bits, full range.
 * VSM_E_INTERNAL for anything else. The result does not depend on the pool. Any thread; several may share a
 * reprojection. Cost: bench_reprojection. */
int vsm_reprojection_draw(const struct vsm_reprojection *reprojection, const struct vsm_image *picture,
                          const struct vsm_image *matte, struct vsm_image *frame,
                          struct vsm_parallel *pool) VSM_NODISCARD;

#endif
