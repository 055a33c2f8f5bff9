#include "image/coefficients.h"

#define BAND    16384 /* cells for one call of a worker */
#define FIRST_A 0
#define FIRST_B 4

static struct vsm_coefficient_plane sum(int first, const double d[3], const double factor[3], double scale)
{
    struct vsm_coefficient_plane plane = {.first = first, .count = 3};

    for (int c = 0; c < 3; c++)
        plane.weight[c] = (float)(scale * d[c] * factor[c]);
    return plane;
}

static struct vsm_coefficient_plane one(int map, double weight)
{
    return (struct vsm_coefficient_plane){.first = map, .count = 1, .weight = {(float)weight}};
}

void vsm_coefficients_init(struct vsm_coefficients *k, const struct vsm_colour_model *m)
{
    const double ones[3] = {1, 1, 1}, of_u[3] = {0, m->green_u, m->blue_u},
                 of_v[3] = {m->red_v, m->green_v, 0};
    const double to_y[3] = {m->kr, m->kg, m->kb};
    const double to_u[3] = {-m->kr / m->blue_u, -m->kg / m->blue_u, (1 - m->kb) / m->blue_u};
    const double to_v[3] = {(1 - m->kr) / m->red_v, -m->kg / m->red_v, -m->kb / m->red_v};
    const double *to_chroma[2] = {to_u, to_v};
    double luma_of_chroma = m->luma_range / m->chroma_range;

    k->mean_u = (float)(luma_of_chroma * (of_u[1] + of_u[2]) / 3);
    k->mean_v = (float)(luma_of_chroma * (of_v[0] + of_v[1]) / 3);
    k->luma[VSM_LUMA_ALPHA_Y] = one(VSM_COEFFICIENT_ALPHA_A, 1 / m->luma_range);
    k->luma[VSM_LUMA_ALPHA_1] = one(VSM_COEFFICIENT_ALPHA_B, 1);
    k->luma[VSM_LUMA_Y] = sum(FIRST_A, to_y, ones, 1);
    k->luma[VSM_LUMA_1] = sum(FIRST_B, to_y, ones, m->luma_range);
    k->tint[VSM_TINT_U] = sum(FIRST_A, to_y, of_u, luma_of_chroma);
    k->tint[VSM_TINT_V] = sum(FIRST_A, to_y, of_v, luma_of_chroma);
    for (int i = 0; i < 2; i++) {
        struct vsm_coefficient_plane *plane = &k->chroma[i ? VSM_CHROMA_V_Y : VSM_CHROMA_U_Y];

        plane[0] = sum(FIRST_A, to_chroma[i], ones, 1 / luma_of_chroma);
        plane[1] = sum(FIRST_A, to_chroma[i], of_u, 1);
        plane[2] = sum(FIRST_A, to_chroma[i], of_v, 1);
        plane[3] = sum(FIRST_B, to_chroma[i], ones, m->chroma_range);
    }
}

struct filling {
    const float *maps, *rgb;
    size_t cells;
    float *alpha;
};

static void fill_band(void *context, int index, int worker)
{
    const struct filling *f = context;
    const size_t from = (size_t)index * BAND, rest = f->cells - from;
    const float *a = f->maps + VSM_COEFFICIENT_ALPHA_A * f->cells + from,
                *b = f->maps + VSM_COEFFICIENT_ALPHA_B * f->cells + from;
    const float *red = f->rgb + from, *green = red + f->cells, *blue = green + f->cells;
    float *alpha = f->alpha + from;

    (void)worker;
    for (size_t i = 0; i < (rest < BAND ? rest : BAND); i++)
        alpha[i] = vsm_coefficients_alpha(a[i], b[i], red[i] + green[i] + blue[i]);
}

void vsm_coefficients_fill_alpha(const float *maps, const float *rgb, size_t cells, float *alpha,
                                 struct vsm_parallel *pool)
{
    struct filling filling = {maps, rgb, cells, alpha};

    vsm_parallel_for(pool, (int)((cells + BAND - 1) / BAND), fill_band, &filling);
}
