/* The fused full-resolution pass: guided-filter refinement, foreground, despill and compositing in one sweep.
 *
 * Reads the decoder's YCbCr picture and the low-resolution coefficient maps, writes the encoder's pictures.
 * Nothing of full size exists in between. C reference and AVX2 give identical bits (no fused multiply-add,
 * same order), and so does any number of threads.
 *
 * Source: He and Sun, "Fast Guided Filter", arXiv 1505.00996; RVM's refiner (arXiv 2108.11515, section 3).
 *
 * What differs from the same formula on full-size RGB, at most 0.65 of an 8-bit step where no clamp acts
 * (measured: tests/oracle/refine):
 *
 * The algebra is done on luma and chroma (image/coefficients.h). Luma and alpha are solved at luma resolution
 * with the chroma sample that covers the pixel, chroma at the output's chroma resolution with the mean luma;
 * chroma's alpha is the mean of the alphas of the luma samples it covers, so that luma and chroma edges
 * agree.
 *
 * The foreground is clamped to the legal ranges of luma and chroma instead of R, G, B in 0..1, and the clamp
 * never moves a sample that lies outside in the source: with residual 0 the foreground is the source, bit by
 * bit. Where residuals of 0.2 drive R, G, B out of range, the two clamps differ by up to 6 steps of luma and
 * 20 of chroma.
 *
 * Alpha below 0.5/255 is 0 and above 1 - 0.5/255 is 1.
 *
 * Despill: with k the unit vector of the key colour's chroma and f the foreground's chroma (both from
 * neutral), f -= despill * (1 - alpha) * max(f . k, 0) * k, before compositing. Alpha and luma are left
 * alone; a grey key has no direction and despills nothing.
 */
#ifndef VSM_IMAGE_REFINE_H
#define VSM_IMAGE_REFINE_H

#include "base/parallel.h"
#include "base/status.h"
#include "frame/frame.h"
#include "frame/image.h"

enum vsm_composite {
    VSM_COMPOSITE_KEY,        /* foreground over a flat key colour */
    VSM_COMPOSITE_FOREGROUND, /* foreground not multiplied by alpha; fades to the key colour where
                                 alpha is below 1 / VSM_COMPOSITE_FADE */
    VSM_COMPOSITE_MATTE, /* alpha as grey in the image's range (full: 0..max, else 16..235); chroma, if any,
                            neutral */
};

/* Keeps a foreground's edge clear of the flat colour behind it, which compresses better than what was
 * there. */
#define VSM_COMPOSITE_FADE 64

struct vsm_composite_output {
    enum vsm_composite kind;
    struct vsm_image *image; /* written; same size as the source picture */
    uint8_t key[3];          /* not VSM_COMPOSITE_MATTE: R, G, B of the key colour, 0..255 */
};

struct vsm_refine_options {
    float despill; /* 0..1: how much of the key colour's chroma is removed from half-transparent foreground */
};

/* Makes all outputs of one picture. `mattes` cover each eye's rectangle; pixels outside every rectangle are
 * background. Where alpha is 0 a KEY output is exactly the key colour (the same code values everywhere);
 * where alpha is 1 and the residual 0 it is the source's samples, converted to the output's depth and range.
 * Source: host GRAY, YUV, YUVA (A ignored) or NV, 8..16 bits. Outputs: host GRAY, YUV, YUVA or NV, 8..16
 * bits, any subsampling, either range; KEY and FOREGROUND outputs have the source's matrix, and only they
 * can be YUVA: A is alpha, 0..max in either range, so that KEY on black is premultiplied and FOREGROUND
 * straight. A chroma sample that two eyes share belongs to the left or upper one. VSM_E_INTERNAL for
 * formats, sizes or rectangles that do not fit, VSM_E_INPUT for an unsupported matrix, VSM_E_NOMEM. Bands of
 * rows are shared out to `pool` (NULL: this thread alone). Any thread. Cost: bench_fullres; about 80 KiB of
 * scratch memory a thread. */
int vsm_refine(const struct vsm_image *source, const struct vsm_matte *mattes, int matte_count,
               const struct vsm_composite_output *outputs, int output_count,
               const struct vsm_refine_options *options, struct vsm_parallel *pool) VSM_NODISCARD;

#endif
