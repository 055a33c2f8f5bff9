#include "tools/cutout.h"

#include "base/mem.h"
#include "media/still.h"

#include <string.h>

static const struct vsm_cutout_person people[] = {
    {"hiker", "davis/hike/frames", "davis/hike/masks", 80, 1.85, -1.6},
    {"skater", "davis/rollerblade/frames", "davis/rollerblade/masks", 35, 1.70, -1.6},
    {"player", "davis/tennis/frames", "davis/tennis/masks", 70, 1.75, -1.6},
    {"woman", "greenscreen_stills/woman.rgba.png", NULL, 1, 1.70, -1.6},
    {"manager", "greenscreen_stills/ck1.rgba.png", NULL, 1, 1.82, -1.6},
    {"officer", "greenscreen_stills/ck2.rgba.png", NULL, 1, 0.75, -0.55},
    {"curly", "rgba_stills/man_curly_1024.png", NULL, 1, 0.50, -0.32},
    {"knight", "rgba_stills/armored_beard_512.png", NULL, 1, 0.85, -0.6},
};

const struct vsm_cutout_person *vsm_cutout_person(int number)
{
    return number >= 0 && number < (int)(sizeof(people) / sizeof(people[0])) ? &people[number] : NULL;
}

const struct vsm_cutout_person *vsm_cutout_find(const char *name)
{
    for (int i = 0; vsm_cutout_person(i); i++) {
        if (strcmp(people[i].name, name) == 0)
            return &people[i];
    }
    return NULL;
}

/* 0 where the 3x3 neighbourhood is half outside, 1 where it is wholly inside. */
static float inner_edge(const struct vsm_image *mask, int x, int y)
{
    int sum = 0, step = mask->format.planes == VSM_PLANES_RGBA ? 4 : 3;

    for (int j = -1; j <= 1; j++) {
        for (int i = -1; i <= 1; i++) {
            int mx = x + i, my = y + j;

            if (mx >= 0 && my >= 0 && mx < mask->width && my < mask->height)
                sum += mask->data[0][my * mask->stride[0] + step * mx] > 127;
        }
    }
    return sum <= 4 ? 0.0f : (float)(sum - 4) / 5.0f;
}

static int cut(const struct vsm_image *frame, const struct vsm_image *mask, struct vsm_texture *texture)
{
    int step = frame->format.planes == VSM_PLANES_RGBA ? 4 : 3, status;

    if (mask->width != frame->width || mask->height != frame->height || mask->format.depth != 8)
        return vsm_fail(VSM_E_INPUT, "cut-out: mask and picture have different sizes");
    status = vsm_texture_create(frame->width, frame->height, VSM_TEXTURE_CLEAR, texture);
    for (int y = 0; status == VSM_OK && y < frame->height; y++) {
        const uint8_t *row = frame->data[0] + y * frame->stride[0];
        float *out = texture->levels[0].rgba + 4 * (size_t)y * (size_t)frame->width;

        for (int x = 0; x < frame->width; x++, out += 4) {
            out[3] = inner_edge(mask, x, y);
            for (int c = 0; c < 3; c++)
                out[c] = out[3] * (float)row[step * x + c] / 255.0f;
        }
    }
    return status == VSM_OK ? vsm_texture_finish(texture) : status;
}

static int load_masked(const struct vsm_cutout_person *person, const char *data_folder, int number,
                       struct vsm_texture *texture)
{
    char *frame_path = vsm_mem_format("path", "%s/%s/%05d.jpg", data_folder, person->frames, number);
    char *mask_path = vsm_mem_format("path", "%s/%s/%05d.png", data_folder, person->masks, number);
    struct vsm_image *frame = NULL, *mask = NULL;
    int status = frame_path && mask_path ? vsm_still_read(frame_path, &frame) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_still_read(mask_path, &mask);
    if (status == VSM_OK)
        status = cut(frame, mask, texture);
    vsm_image_unref(&frame);
    vsm_image_unref(&mask);
    vsm_mem_free(frame_path);
    vsm_mem_free(mask_path);
    return status;
}

static int load_still(const struct vsm_cutout_person *person, const char *data_folder,
                      struct vsm_texture *texture)
{
    char *path = vsm_mem_format("path", "%s/%s", data_folder, person->frames);
    struct vsm_image *image = NULL;
    int status = path ? vsm_still_read(path, &image) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_texture_of_image(image, VSM_TEXTURE_CLEAR, texture);
    vsm_image_unref(&image);
    vsm_mem_free(path);
    return status;
}

/* Centre of mass across, lowest row and height of what is more than half there. */
static int measure(const char *name, struct vsm_cutout *cutout, double *height)
{
    const struct vsm_texture_level *level = &cutout->texture.levels[0];
    double sum = 0.0, count = 0.0;
    int top = level->height, bottom = -1;

    for (int y = 0; y < level->height; y++) {
        for (int x = 0; x < level->width; x++) {
            if (level->rgba[4 * ((size_t)y * (size_t)level->width + (size_t)x) + 3] <= 0.5f)
                continue;
            sum += x + 0.5;
            count += 1.0;
            top = y < top ? y : top;
            bottom = y;
        }
    }
    if (count == 0.0)
        return vsm_fail(VSM_E_INPUT, "cut-out %s: a picture shows nobody", name);
    cutout->x = sum / count;
    cutout->y = bottom + 1;
    *height = bottom + 1 - top;
    return VSM_OK;
}

static int load_picture(const struct vsm_cutout_person *person, const char *data_folder, int number,
                        struct vsm_cutout *cutout)
{
    double height = 0.0;
    int status = person->masks ? load_masked(person, data_folder, number, &cutout->texture)
                               : load_still(person, data_folder, &cutout->texture);

    if (status == VSM_OK)
        status = measure(person->name, cutout, &height);
    if (status == VSM_OK && cutout->texels_per_metre == 0.0)
        cutout->texels_per_metre = height / person->height;
    return status;
}

int vsm_cutout_load(const struct vsm_cutout_person *person, const char *data_folder, int number,
                    struct vsm_cutout *cutout)
{
    int period = person->count > 1 ? 2 * person->count - 2 : 1, status = VSM_OK;

    if (cutout->texels_per_metre > 0.0 && person->count == 1)
        return VSM_OK;
    if (cutout->texels_per_metre == 0.0 && number % period != 0)
        status = load_picture(person, data_folder, 0, cutout); /* for the scale */
    number %= period;
    number = number < person->count ? number : period - number;
    vsm_texture_destroy(&cutout->texture);
    return status == VSM_OK ? load_picture(person, data_folder, number, cutout) : status;
}

void vsm_cutout_destroy(struct vsm_cutout *cutout)
{
    vsm_texture_destroy(&cutout->texture);
    *cutout = (struct vsm_cutout){0};
}
