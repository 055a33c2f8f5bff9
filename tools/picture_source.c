#include "tools/picture_source.h"

#include "base/mem.h"
#include "media/still.h"
#include "media/video_reader.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

struct vsm_picture_source {
    struct vsm_video_reader *video; /* or: */
    struct dirent **files;
    int file_count, next_file;
    char *folder; /* NULL: `path` is one picture */
    char *path;
};

static int is_picture(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');

    return dot &&
           (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0);
}

static bool is_picture_path(const char *path)
{
    struct dirent entry = {0};
    const char *name = strrchr(path, '/');

    snprintf(entry.d_name, sizeof(entry.d_name), "%s", name ? name + 1 : path);
    return is_picture(&entry);
}

static int open_path(const char *path, struct vsm_picture_source *source)
{
    struct stat info;

    source->path = vsm_mem_string("path", path);
    if (!source->path)
        return VSM_E_NOMEM;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        source->folder = source->path;
        source->file_count = scandir(path, &source->files, is_picture, alphasort);
        return source->file_count > 0
                   ? VSM_OK
                   : vsm_fail(VSM_E_INPUT, "%s: no .jpg or .png pictures in this folder", path);
    }
    if (is_picture_path(path)) {
        source->file_count = 1;
        return VSM_OK;
    }
    return vsm_video_reader_open(path, &(struct vsm_video_reader_options){.threads = 2}, &source->video);
}

int vsm_picture_source_open(const char *path, struct vsm_picture_source **source)
{
    struct vsm_picture_source *made = vsm_mem_alloc("picture source", 1, sizeof(*made));
    int status = made ? open_path(path, made) : VSM_E_NOMEM;

    if (status != VSM_OK) {
        vsm_picture_source_close(made);
        return status;
    }
    *source = made;
    return VSM_OK;
}

void vsm_picture_source_close(struct vsm_picture_source *source)
{
    if (!source)
        return;
    vsm_video_reader_close(source->video);
    for (int i = 0; source->files && i < source->file_count; i++)
        free(source->files[i]);
    free(source->files);
    vsm_mem_free(source->path);
    vsm_mem_free(source);
}

static int next_of_video(struct vsm_video_reader *reader, struct vsm_image **image)
{
    struct vsm_frame *frame = vsm_frame_create();
    int status = frame ? vsm_video_reader_next(reader, frame) : VSM_E_NOMEM;

    if (status == VSM_OK)
        *image = vsm_image_ref(frame->source);
    vsm_frame_destroy(&frame);
    return status;
}

int vsm_picture_source_next(struct vsm_picture_source *source, struct vsm_image **image)
{
    int number = source->next_file, status;
    char *path;

    if (source->video)
        return next_of_video(source->video, image);
    if (number >= source->file_count)
        return VSM_EOF;
    source->next_file++;
    if (!source->folder)
        return vsm_still_read(source->path, image);
    path = vsm_mem_format("path", "%s/%s", source->folder, source->files[number]->d_name);
    status = path ? vsm_still_read(path, image) : VSM_E_NOMEM;
    vsm_mem_free(path);
    return status;
}

void vsm_picture_source_grey(const struct vsm_image *image, float *grey)
{
    bool packed = image->format.planes == VSM_PLANES_RGB || image->format.planes == VSM_PLANES_RGBA;
    int step = image->format.planes == VSM_PLANES_RGBA ? 4 : packed ? 3 : 1;
    int bits = image->format.depth;
    bool full = packed || image->colour.full_range;
    float black = full ? 0.0f : (float)(16 << (bits - 8)),
          range = full ? (float)((1 << bits) - 1) : (float)(219 << (bits - 8));

    for (int y = 0; y < image->height; y++) {
        const uint8_t *row = image->data[0] + y * image->stride[0];

        for (int x = 0; x < image->width; x++) {
            int at = x * step,
                code = bits > 8 ? (row[2 * at] | row[2 * at + 1] << 8) >> image->format.shift : row[at];
            float value = ((float)code - black) / range;

            grey[(size_t)y * (size_t)image->width + (size_t)x] = value < 0.0f   ? 0.0f
                                                                 : value > 1.0f ? 1.0f
                                                                                : value;
        }
    }
}
