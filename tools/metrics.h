/* How well an alpha matte agrees with the truth, by the field's usual definitions.
 *
 * Mattes are width * height floats in 0..1, row after row. Functions return the plain number of the
 * definition; the scale that tables usually print is given with each. Pure; no state; memory only inside the
 * call. VSM_E_NOMEM is the only failure.
 *
 * Sources: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation",
 * CVPR 2016 (J, F); Rhemann et al., "A Perceptually Motivated Online Benchmark for Image Matting", CVPR 2009
 * (SAD, MSE, Grad, Conn), over the whole picture because there is no trimap; Erofeev et al., "Perceptually
 * Motivated Benchmark for Video Matting", BMVC 2015 (dtSSD).
 */
#ifndef TOOLS_METRICS_H
#define TOOLS_METRICS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Intersection over union of alpha > 0.5; 1 if both are empty. */
double vsm_metrics_region(const float *matte, const float *truth, size_t count);

/* F measure of the boundaries of alpha > 0.5: harmonic mean of precision and recall, where a boundary pixel
 * counts as found when the other boundary passes within ceil(0.008 * diagonal) pixels. 1 if neither has a
 * boundary, 0 if only one has. */
int vsm_metrics_boundary(const float *matte, const float *truth, int width, int height,
                         double *f) VSM_NODISCARD;

/* Sum of absolute differences; printed in thousands. */
double vsm_metrics_sad(const float *matte, const float *truth, size_t count);

/* Mean of squared differences; printed in thousandths. */
double vsm_metrics_mse(const float *matte, const float *truth, size_t count);

/* Sum of squared differences of gradient magnitudes, by derivatives of a Gaussian of sigma 1.4 pixels
 * normalised to unit energy, borders repeated; printed in thousands. */
int vsm_metrics_grad(const float *matte, const float *truth, int width, int height,
                     double *sum) VSM_NODISCARD;

/* Sum of differences of connectivity: how far a pixel's alpha lies above the highest level (steps of 0.1)
 * at which it is 4-connected to the largest region that both mattes share, differences below 0.15
 * ignored; in thousands. */
int vsm_metrics_conn(const float *matte, const float *truth, int width, int height,
                     double *sum) VSM_NODISCARD;

/* Root of the mean squared difference of the changes from the frame before; printed in hundredths. */
double vsm_metrics_dtssd(const float *matte, const float *matte_before, const float *truth,
                         const float *truth_before, size_t count);

/* How far two mattes that ought to be the same are apart, over any number of pictures. All zero = none
 * yet. */
#define VSM_METRICS_DIFFERENCE_BINS 65536

struct vsm_metrics_difference {
    uint64_t
        bins[VSM_METRICS_DIFFERENCE_BINS]; /* samples by the nearest 1/65535 of their absolute difference */
    uint64_t count;
    double sum;
    float largest;
};

void vsm_metrics_difference_add(struct vsm_metrics_difference *difference, const float *matte,
                                const float *other, size_t count);

/* The difference that `share` (0..1) of all samples do not exceed, to 1/65535; 0 without samples. */
double vsm_metrics_difference_quantile(const struct vsm_metrics_difference *difference, double share);

#endif
