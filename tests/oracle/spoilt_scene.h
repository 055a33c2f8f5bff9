/* A scene of tools/truth_scenes.h as frames behind the matter, whose mattes are wrong here and there: for
 * tests and timings of what compares and mends the eyes, without a network. */
#ifndef SPOILT_SCENE_H
#define SPOILT_SCENE_H

#include "frame/frame.h"
#include "tools/truth_film.h"

#define SPOILT_SCENE_FIRST 20 /* first picture, of 60 */

struct spoilt_scene_options {
    const char *data;  /* the shared data folder */
    const char *scene; /* its name */
    const char *fault; /* of tools/eye_faults.h; NULL: none */
    int eye;           /* pixels a side */
    int width, height; /* of the views' grids */
    bool turned;       /* two views an eye, else its direct one */
};

/* Fields are to be read. */
struct spoilt_scene {
    struct spoilt_scene_options options;
    struct vsm_truth_film film;
    struct vsm_image *image, *grey;
    struct vsm_view views[VSM_MAX_VIEWS];
    float *rgb[VSM_MAX_VIEWS]; /* of the last frame's views, R, G, B planes */
    float *matte;
    int view_count;
};

/* Destroy it after a failure too. */
int spoilt_scene_create(const struct spoilt_scene_options *options, struct spoilt_scene *scene) VSM_NODISCARD;
void spoilt_scene_destroy(struct spoilt_scene *scene);

/* Makes frame 0, 1, ..., in order, with mattes and views alone; the caller's to destroy. */
int spoilt_scene_show(struct spoilt_scene *scene, int number, struct vsm_frame **frame) VSM_NODISCARD;

#endif
