/* The fused full-resolution pass: guided-filter refinement, foreground, despill and compositing in one sweep.
 *
 * Reads the decoder's YCbCr picture and the low-resolution coefficient maps, writes the encoder's pictures.
 * Nothing of full size exists in between. C reference and AVX2 give identical bits (no fused multiply-add,
 * same order).
 *
 * Source: He and Sun, "Fast Guided Filter", arXiv 1505.00996; RVM's refiner (arXiv 2108.11515, section 3).
 */
#ifndef VSM_IMAGE_REFINE_H
#define VSM_IMAGE_REFINE_H

#include "base/status.h"
#include "frame/frame.h"
#include "frame/image.h"

enum vsm_composite {
    VSM_COMPOSITE_KEY,   /* foreground over a flat key colour */
    VSM_COMPOSITE_MATTE, /* alpha as grey; chroma planes, if any, neutral */
};

struct vsm_composite_output {
    enum vsm_composite kind;
    struct vsm_image *image; /* written; same size as the source picture */
    uint8_t key[3];          /* VSM_COMPOSITE_KEY: R, G, B of the key colour, 0..255 */
};

struct vsm_refine_options {
    float despill; /* 0..1: how much of the key colour's chroma is removed from half-transparent foreground */
};

/* Makes all outputs of one picture. `mattes` cover each eye's rectangle; pixels outside every rectangle are
 * background. Where alpha is 0 a KEY output is exactly the key colour (the same code values everywhere).
 * Outputs may have another bit depth than the source, the same or full chroma. threads >= 1 row bands run in
 * parallel. */
int vsm_refine(const struct vsm_image *source, const struct vsm_matte *mattes, int matte_count,
               const struct vsm_composite_output *outputs, int output_count,
               const struct vsm_refine_options *options, int threads) VSM_NODISCARD;

#endif
