#include "models/sam2_prompt.h"

#include "models/sam2_constants.h"
#include "models/sam2_mask.h"

#include <string.h>

#define TOP_LEFT      2
#define BOTTOM_RIGHT  3
#define LEARNED_COUNT 6

static int add_point(struct vsm_sam2_points *points, float x, float y, int label, int image_size)
{
    if (!(x >= 0 && x <= (float)image_size && y >= 0 && y <= (float)image_size))
        return vsm_fail(VSM_E_USAGE, "prompt at %g, %g: outside the picture of %d x %d", (double)x, (double)y,
                        image_size, image_size);
    if (points->count == VSM_SAM2_MAX_CLICKS)
        return vsm_fail(VSM_E_USAGE, "prompt: more than %d points on one object", VSM_SAM2_MAX_CLICKS);
    points->x[points->count] = x;
    points->y[points->count] = y;
    points->label[points->count++] = label;
    return VSM_OK;
}

int vsm_sam2_prompt_points(struct vsm_sam2_points *points, const struct vsm_sam2_prompt *prompt,
                           int image_size)
{
    struct vsm_sam2_points next = {0};
    int status = VSM_OK;

    if (prompt->add)
        next = *points;
    if (prompt->add && prompt->has_box)
        return vsm_fail(VSM_E_USAGE, "prompt: a box cannot be added to earlier points");
    if (!prompt->has_box && prompt->click_count < 1)
        return vsm_fail(VSM_E_USAGE, "prompt: neither a point, a box nor a mask");
    if (prompt->has_box && !(prompt->box[0] < prompt->box[2] && prompt->box[1] < prompt->box[3]))
        return vsm_fail(VSM_E_USAGE, "prompt: the box %g, %g to %g, %g is empty", (double)prompt->box[0],
                        (double)prompt->box[1], (double)prompt->box[2], (double)prompt->box[3]);
    if (prompt->has_box) {
        status = add_point(&next, prompt->box[0], prompt->box[1], TOP_LEFT, image_size);
        if (!status)
            status = add_point(&next, prompt->box[2], prompt->box[3], BOTTOM_RIGHT, image_size);
    }
    for (int i = 0; !status && i < prompt->click_count; i++)
        status = add_point(&next, prompt->clicks[i].x, prompt->clicks[i].y, prompt->clicks[i].positive,
                           image_size);
    if (!status)
        *points = next;
    return status;
}

struct vsm_tensor *vsm_sam2_prompt_tokens(const struct vsm_sam2_learned *learned,
                                          const struct vsm_sam2_points *points, int image_size, int batch)
{
    const int given = points ? points->count : 0, sparse = given ? given + 1 : 2;
    const int64_t dims[] = {batch, LEARNED_COUNT + sparse, VSM_SAM2_DIM};
    struct vsm_tensor *t = vsm_tensor_create(VSM_F32, 3, dims);
    float *out = t ? vsm_tensor_f32(t) : NULL;

    for (int b = 0; t && b < batch; b++) {
        memcpy(out, learned->tokens, sizeof(learned->tokens));
        out += LEARNED_COUNT * VSM_SAM2_DIM;
        for (int i = 0; i < sparse; i++, out += VSM_SAM2_DIM) {
            if (i >= given) {
                memcpy(out, learned->not_a_point, sizeof(learned->not_a_point));
                continue;
            }
            vsm_sam2_constants_point(learned->gaussian, ((double)points->x[i] + 0.5) / image_size,
                                     ((double)points->y[i] + 0.5) / image_size, out);
            for (int c = 0; c < VSM_SAM2_DIM; c++)
                out[c] += learned->point[points->label[i]][c];
        }
    }
    return t;
}

int vsm_sam2_prompt_mask(const struct vsm_sam2_prompt *prompt, int image_size, float *mask)
{
    int status;

    if (prompt->mask_height < 1 || prompt->mask_width < 1)
        return vsm_fail(VSM_E_USAGE, "prompt: a mask of %d x %d pixels", prompt->mask_width,
                        prompt->mask_height);
    status = vsm_sam2_mask_resize_smooth(prompt->mask, prompt->mask_height, prompt->mask_width, mask,
                                         image_size, image_size);
    for (int64_t i = 0; !status && i < (int64_t)image_size * image_size; i++)
        mask[i] = mask[i] >= 0.5f ? 1 : 0;
    return status;
}

void vsm_sam2_prompt_reduce(const struct vsm_sam2_learned *learned, const float *mask, int image_size,
                            float *out)
{
    for (int y = 0; y < image_size / 4; y++)
        for (int x = 0; x < image_size / 4; x++) {
            double sum = (double)learned->mask_downsample_bias;

            for (int i = 0; i < 16; i++)
                sum += (double)learned->mask_downsample[i] *
                       (double)mask[((int64_t)y * 4 + i / 4) * image_size + x * 4 + i % 4];
            *out++ = (float)sum;
        }
}
