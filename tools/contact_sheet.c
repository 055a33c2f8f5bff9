/* Makes a picture to judge a job by: a row for each of some pictures, with source, matte and composite
 * side by side.
 *
 *   contact_sheet [--rows N] [--width PIXELS] SOURCE MATTE COMPOSITE OUTPUT.png
 *
 * Rows are spread evenly over the source; a video with both eyes in a picture shows both. PIXELS is the width
 * of one column (default 640).
 */
#include "base/mem.h"
#include "base/status.h"
#include "image/preprocess.h"
#include "media/still.h"
#include "media/video_reader.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 3
#define GAP     6 /* pixels between cells */

struct sheet {
    struct vsm_video_reader *columns[COLUMNS];
    int rows, cell_width, cell_height;
    struct vsm_image *image;
    float *cell; /* three planes */
};

/* Pictures in the video: as the file says, or counted. */
static int count_pictures(struct vsm_video_reader *reader, int64_t *count)
{
    struct vsm_frame *frame = NULL;
    int status = VSM_OK;

    *count = vsm_video_reader_info(reader)->frames;
    if (*count > 0)
        return VSM_OK;
    for (*count = 0; status == VSM_OK; ++*count) {
        frame = vsm_frame_create();
        status = frame ? vsm_video_reader_next(reader, frame) : VSM_E_NOMEM;
        vsm_frame_destroy(&frame);
    }
    --*count;
    return status == VSM_EOF ? VSM_OK : status;
}

static void paint_cell(const struct sheet *sheet, int row, int column)
{
    size_t plane = (size_t)sheet->cell_width * (size_t)sheet->cell_height;
    int left = GAP + column * (sheet->cell_width + GAP), top = GAP + row * (sheet->cell_height + GAP);

    for (int y = 0; y < sheet->cell_height; y++) {
        uint8_t *out = sheet->image->data[0] + (top + y) * sheet->image->stride[0] + 3 * left;

        for (int x = 0; x < 3 * sheet->cell_width; x++) {
            size_t at = (size_t)y * (size_t)sheet->cell_width + (size_t)(x / 3);

            out[x] = (uint8_t)lrintf(255.0f * sheet->cell[(size_t)(x % 3) * plane + at]);
        }
    }
}

/* Scales picture `number` of a column's video into its cell; behind the end, the cell stays empty. */
static int fill_cell(struct sheet *sheet, int row, int column, int64_t number)
{
    struct vsm_frame *frame = vsm_frame_create();
    struct vsm_view view = {.width = sheet->cell_width, .height = sheet->cell_height};
    int status = frame ? vsm_video_reader_seek(sheet->columns[column], number) : VSM_E_NOMEM;

    if (status == VSM_OK)
        status = vsm_video_reader_next(sheet->columns[column], frame);
    if (status == VSM_OK) {
        view.source = (struct vsm_rect){0, 0, frame->source->width, frame->source->height};
        status = vsm_preprocess(frame->source, &view, sheet->cell, NULL);
    }
    if (status == VSM_OK)
        paint_cell(sheet, row, column);
    vsm_frame_destroy(&frame);
    return status == VSM_EOF ? VSM_OK : status;
}

static int set_up(struct sheet *sheet)
{
    const struct vsm_video_info *info = vsm_video_reader_info(sheet->columns[0]);
    struct vsm_format rgb = {.planes = VSM_PLANES_RGB, .depth = 8};

    sheet->cell_height = (int)lrint((double)sheet->cell_width * info->height / info->width);
    if (sheet->cell_height < 1)
        sheet->cell_height = 1;
    sheet->cell =
        vsm_mem_alloc_raw("cell", (size_t)sheet->cell_width * (size_t)sheet->cell_height, 3 * sizeof(float));
    sheet->image = vsm_image_create(rgb, GAP + COLUMNS * (sheet->cell_width + GAP),
                                    GAP + sheet->rows * (sheet->cell_height + GAP), (struct vsm_colour){0});
    if (!sheet->cell || !sheet->image)
        return VSM_E_NOMEM;
    for (int y = 0; y < sheet->image->height; y++) {
        for (int x = 0; x < 3 * sheet->image->width; x++)
            sheet->image->data[0][y * sheet->image->stride[0] + x] = 96;
    }
    return VSM_OK;
}

static int make_sheet(struct sheet *sheet, char *const *paths)
{
    int64_t pictures = 0;
    int status = VSM_OK;

    for (int i = 0; status == VSM_OK && i < COLUMNS; i++)
        status = vsm_video_reader_open(paths[i], &(struct vsm_video_reader_options){.threads = 2},
                                       &sheet->columns[i]);
    if (status == VSM_OK)
        status = count_pictures(sheet->columns[0], &pictures);
    if (status == VSM_OK && pictures < 1)
        status = vsm_fail(VSM_E_INPUT, "%s: no pictures", paths[0]);
    if (status == VSM_OK)
        status = set_up(sheet);
    for (int row = 0; status == VSM_OK && row < sheet->rows; row++) {
        int64_t number = pictures * (2 * row + 1) / (2 * sheet->rows);

        for (int i = 0; status == VSM_OK && i < COLUMNS; i++)
            status = fill_cell(sheet, row, i, number);
    }
    if (status == VSM_OK)
        status = vsm_still_write_png(paths[COLUMNS], sheet->image);
    for (int i = 0; i < COLUMNS; i++)
        vsm_video_reader_close(sheet->columns[i]);
    vsm_image_unref(&sheet->image);
    vsm_mem_free(sheet->cell);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"rows", required_argument, NULL, 'r'},
                                          {"width", required_argument, NULL, 'w'},
                                          {0}};
    struct sheet sheet = {.rows = 4, .cell_width = 640};
    int letter, status;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'r')
            sheet.rows = atoi(optarg);
        else if (letter == 'w')
            sheet.cell_width = atoi(optarg);
        else
            return VSM_EXIT_USAGE;
    }
    if (argc - optind != COLUMNS + 1 || sheet.rows < 1 || sheet.rows > 100 || sheet.cell_width < 16 ||
        sheet.cell_width > 4096) {
        fprintf(
            stderr,
            "usage: contact_sheet [--rows 1..100] [--width 16..4096] SOURCE MATTE COMPOSITE OUTPUT.png\n");
        return VSM_EXIT_USAGE;
    }
    status = make_sheet(&sheet, argv + optind);
    if (status != VSM_OK)
        fprintf(stderr, "contact_sheet: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
