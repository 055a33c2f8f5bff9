#include "spoilt_scene.h"

#include "base/mem.h"
#include "image/guided_fit.h"
#include "image/preprocess.h"
#include "pixel/coefficients.h"
#include "turned_view.h"

#include <string.h>

#define FRAMES 60

static void aim(struct spoilt_scene *scene)
{
    const struct spoilt_scene_options *o = &scene->options;

    scene->view_count = o->turned ? 4 : 2;
    for (int i = 0; i < scene->view_count; i++) {
        const struct vsm_rect eye = {i % 2 * o->eye, 0, o->eye, o->eye};
        struct vsm_view *view = &scene->views[i];

        *view = o->turned ? turned(eye, i < 2 ? -20 : 15, -5, 100, 0) : (struct vsm_view){.source = eye};
        view->eye = i % 2 ? VSM_RIGHT : VSM_LEFT;
        view->width = o->width;
        view->height = o->height;
    }
}

int spoilt_scene_create(const struct spoilt_scene_options *options, struct spoilt_scene *scene)
{
    const size_t n = (size_t)options->width * (size_t)options->height;
    struct vsm_truth_film_options film = {.data = options->data,
                                          .scene = *vsm_truth_scenes_find(options->scene),
                                          .frames = FRAMES,
                                          .eye = options->eye};
    int status;

    *scene = (struct spoilt_scene){.options = *options};
    if (options->fault && !vsm_eye_faults_parse(options->fault, &film.fault))
        return vsm_fail(VSM_E_USAGE, "scene: no such fault: %s", options->fault);
    aim(scene);
    status = vsm_truth_film_create(&film, &scene->film);
    if (status != VSM_OK)
        return status;
    scene->image = vsm_canvas_yuv_image(&scene->film.canvas);
    scene->grey = vsm_canvas_grey_image(&scene->film.canvas);
    scene->matte = vsm_mem_alloc("matte", 4 * n, sizeof(float));
    if (!scene->image || !scene->grey || !scene->matte)
        return VSM_E_NOMEM;
    for (int i = 0; i < scene->view_count; i++)
        if (!(scene->rgb[i] = vsm_mem_alloc("rgb", 3 * n, sizeof(float))))
            return VSM_E_NOMEM;
    return VSM_OK;
}

void spoilt_scene_destroy(struct spoilt_scene *scene)
{
    for (int i = 0; i < scene->view_count; i++)
        vsm_mem_free(scene->rgb[i]);
    vsm_mem_free(scene->matte);
    vsm_image_unref(&scene->image);
    vsm_image_unref(&scene->grey);
    vsm_truth_film_destroy(&scene->film);
}

/* As a network errs: dirt everywhere, somebody who is not there, and in the right eye half of the people lost
 * for two pictures. */
static void spoil(float *alpha, int width, int height, int eye, int number)
{
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const float u = ((float)x + 0.5f) / (float)width, v = ((float)y + 0.5f) / (float)height;
            const float ghost = 1.0f - 200.0f * ((u - 0.7f) * (u - 0.7f) + (v - 0.4f) * (v - 0.4f));
            float *a = &alpha[y * width + x];

            *a += 0.04f * sinf(0.7f * (float)x + 0.3f * (float)(y + number)) * sinf(0.11f * (float)y);
            if (eye == VSM_LEFT && number % 3 == 0 && ghost > 0.0f)
                *a += 0.6f * ghost;
            if (eye == VSM_RIGHT && (number == 2 || number == 3) && v > 0.5f)
                *a *= 0.2f;
            *a = fminf(fmaxf(*a, 0.0f), 1.0f);
        }
    }
}

/* What a network would have found in a view, as maps. */
static int find(struct spoilt_scene *scene, int i, int number, struct vsm_matte *found)
{
    const struct vsm_view *view = &scene->views[i];
    const int64_t dims[3] = {VSM_COEFFICIENT_MAPS, view->height, view->width};
    const size_t n = (size_t)view->width * (size_t)view->height;
    float *matte = scene->matte, *alpha = matte + 3 * n;
    int status;

    *found = (struct vsm_matte){.view = *view, .coefficients = vsm_tensor_create(VSM_F32, 3, dims)};
    if (!found->coefficients)
        return VSM_E_NOMEM;
    status = vsm_preprocess(scene->grey, view, matte + n, NULL);
    if (status != VSM_OK)
        return status;
    spoil(alpha, view->width, view->height, view->eye, number);
    for (size_t k = 0; k < 3 * n; k++)
        matte[k] = 0.1f * alpha[k % n];
    vsm_guided_fit(scene->rgb[i], matte, view->width, view->height, vsm_tensor_f32(found->coefficients),
                   NULL);
    return VSM_OK;
}

int spoilt_scene_show(struct spoilt_scene *scene, int number, struct vsm_frame **frame)
{
    int status = vsm_truth_film_shoot(&scene->film, SPOILT_SCENE_FIRST + number);

    *frame = vsm_frame_create();
    if (status != VSM_OK || !*frame)
        return VSM_E_NOMEM;
    vsm_canvas_to_yuv(&scene->film.canvas, scene->image);
    vsm_canvas_to_grey(&scene->film.canvas, scene->grey);
    (*frame)->index = (*frame)->seq = number;
    (*frame)->view_count = scene->view_count;
    for (int i = 0; i < scene->view_count && status == VSM_OK; i++) {
        status = vsm_preprocess(scene->image, &scene->views[i], scene->rgb[i], NULL);
        if (status == VSM_OK)
            status = find(scene, i, number, &(*frame)->mattes[i]);
    }
    if (status != VSM_OK)
        vsm_frame_destroy(frame);
    return status;
}
