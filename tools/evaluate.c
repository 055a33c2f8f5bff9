/* Scores a matte against the truth and prints one line of a Markdown table (or with --header,
 * the table's head).
 *
 *   evaluate [--name NAME] [--header] [--per-frame] [--eyes] [--brief] MATTE TRUTH
 *   evaluate --difference MATTE OTHER
 *
 * MATTE and TRUTH are videos, folders of pictures or pictures, of the same size and number of pictures.
 * --eyes scores the left and right halves of the pictures as separate sequences. Numbers are means over
 * pictures, scaled as tables in the field are (tools/metrics.h); J also shows its lowest picture, because a
 * mean hides a lost person. --brief scores J, SAD and MSE only, which takes a tenth of the time; the rest is
 * 0. --difference prints, for two mattes that ought to be the same, how far apart their samples are: the
 * mean, the 99.9th percentile and the largest, of all pictures together.
 */
#include "base/mem.h"
#include "base/status.h"
#include "tools/metrics.h"
#include "tools/picture_source.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct scores {
    double region, boundary, sad, mse, grad, conn, dtssd;
};

/* Two mattes and their predecessors, of one eye or of the whole picture. */
struct track {
    int width, height;
    bool has_before;
    float *matte, *truth, *matte_before, *truth_before; /* owned */
    struct scores sum;
    double lowest_region;
    long count;
    bool brief;
    struct vsm_metrics_difference *difference; /* owned; NULL: scores are wanted */
};

static int track_init(struct track *track, int width, int height)
{
    size_t count = (size_t)width * (size_t)height;

    *track = (struct track){.width = width, .height = height, .lowest_region = 1.0};
    track->matte = vsm_mem_alloc_raw("matte", count, sizeof(float));
    track->truth = vsm_mem_alloc_raw("truth", count, sizeof(float));
    track->matte_before = vsm_mem_alloc_raw("matte", count, sizeof(float));
    track->truth_before = vsm_mem_alloc_raw("truth", count, sizeof(float));
    return track->matte && track->truth && track->matte_before && track->truth_before ? VSM_OK : VSM_E_NOMEM;
}

static void track_free(struct track *track)
{
    vsm_mem_free(track->matte);
    vsm_mem_free(track->truth);
    vsm_mem_free(track->matte_before);
    vsm_mem_free(track->truth_before);
    vsm_mem_free(track->difference);
}

static int score(struct track *t, struct scores *s)
{
    size_t count = (size_t)t->width * (size_t)t->height;
    int status =
        t->brief ? VSM_OK : vsm_metrics_boundary(t->matte, t->truth, t->width, t->height, &s->boundary);

    s->region = vsm_metrics_region(t->matte, t->truth, count);
    s->sad = vsm_metrics_sad(t->matte, t->truth, count) / 1e3;
    s->mse = vsm_metrics_mse(t->matte, t->truth, count) * 1e3;
    s->dtssd = t->has_before
                   ? 1e2 * vsm_metrics_dtssd(t->matte, t->matte_before, t->truth, t->truth_before, count)
                   : 0;
    if (status == VSM_OK && !t->brief)
        status = vsm_metrics_grad(t->matte, t->truth, t->width, t->height, &s->grad);
    if (status == VSM_OK && !t->brief)
        status = vsm_metrics_conn(t->matte, t->truth, t->width, t->height, &s->conn);
    s->grad /= 1e3;
    s->conn /= 1e3;
    return status;
}

static void swap(float **a, float **b)
{
    float *kept = *a;

    *a = *b;
    *b = kept;
}

static void print_row(const char *name, const char *suffix, const struct scores *s, double lowest, long count)
{
    printf("| %s%s | %ld | %.3f | %.3f | %.3f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", name, suffix, count,
           s->region, lowest, s->boundary, s->sad, s->mse, s->grad, s->conn, s->dtssd);
}

static int track_add(struct track *track, const char *name, const char *suffix, bool per_frame)
{
    struct scores s = {0};
    int status = score(track, &s);
    char label[32];

    if (status != VSM_OK)
        return status;
    snprintf(label, sizeof(label), "%s %ld", suffix, track->count);
    if (per_frame)
        print_row(name, label, &s, s.region, 1);
    track->sum.region += s.region;
    track->sum.boundary += s.boundary;
    track->sum.sad += s.sad;
    track->sum.mse += s.mse;
    track->sum.grad += s.grad;
    track->sum.conn += s.conn;
    track->sum.dtssd += s.dtssd;
    if (s.region < track->lowest_region)
        track->lowest_region = s.region;
    track->count++;
    track->has_before = true;
    swap(&track->matte, &track->matte_before);
    swap(&track->truth, &track->truth_before);
    return VSM_OK;
}

static void print_difference(const struct vsm_metrics_difference *d, long pictures)
{
    printf("alpha apart by %.6f in the mean, 99.9th percentile %.5f, at most %.5f (%ld pictures)\n",
           d->sum / (double)d->count, vsm_metrics_difference_quantile(d, 0.999), (double)d->largest,
           pictures);
}

static void print_mean(const struct track *track, const char *name, const char *suffix)
{
    double n = (double)track->count, pairs = n > 1.0 ? n - 1.0 : 1.0;
    struct scores mean = {track->sum.region / n,   track->sum.boundary / n, track->sum.sad / n,
                          track->sum.mse / n,      track->sum.grad / n,     track->sum.conn / n,
                          track->sum.dtssd / pairs};

    print_row(name, suffix, &mean, track->lowest_region, track->count);
}

struct options {
    const char *name;
    bool per_frame, eyes, brief, difference;
    const char *matte_path, *truth_path;
};

/* Copies columns [x, x + width) of a picture's greys. */
static void crop(const float *from, int stride, int x, const struct track *track, float *to)
{
    for (int y = 0; y < track->height; y++)
        memcpy(to + (size_t)y * (size_t)track->width, from + (size_t)y * (size_t)stride + x,
               (size_t)track->width * sizeof(float));
}

static int add_pair(const struct options *options, const struct vsm_image *matte,
                    const struct vsm_image *truth, float *grey, struct track tracks[2])
{
    int count = options->eyes ? 2 : 1, width = matte->width / count, status = VSM_OK;

    if (!tracks[0].matte) {
        for (int i = 0; status == VSM_OK && i < count; i++) {
            status = track_init(&tracks[i], width, matte->height);
            tracks[i].brief = options->brief;
            if (options->difference && status == VSM_OK &&
                !(tracks[i].difference = vsm_mem_alloc("differences", 1, sizeof(*tracks[i].difference))))
                status = VSM_E_NOMEM;
        }
    }
    for (int i = 0; status == VSM_OK && i < count; i++) {
        vsm_picture_source_grey(matte, grey);
        crop(grey, matte->width, i * width, &tracks[i], tracks[i].matte);
        vsm_picture_source_grey(truth, grey);
        crop(grey, matte->width, i * width, &tracks[i], tracks[i].truth);
        if (tracks[i].difference) {
            vsm_metrics_difference_add(tracks[i].difference, tracks[i].matte, tracks[i].truth,
                                       (size_t)tracks[i].width * (size_t)tracks[i].height);
            tracks[i].count++;
            continue;
        }
        status = track_add(&tracks[i], options->name,
                           count == 1 ? ""
                           : i        ? " right"
                                      : " left",
                           options->per_frame);
    }
    return status;
}

/* One picture of each; VSM_EOF when both have ended. */
static int next_pair(const struct options *options, struct vsm_picture_source *mattes,
                     struct vsm_picture_source *truths, struct vsm_image **matte, struct vsm_image **truth,
                     long number)
{
    int status = vsm_picture_source_next(mattes, matte), other = vsm_picture_source_next(truths, truth);

    if (status != other && (status == VSM_EOF || other == VSM_EOF) && status + other == VSM_EOF)
        return vsm_fail(VSM_E_INPUT, "%s ends after %ld pictures, the other sequence goes on",
                        status == VSM_EOF ? options->matte_path : options->truth_path, number);
    if (status != VSM_OK || other != VSM_OK)
        return status != VSM_OK ? status : other;
    if ((*matte)->width != (*truth)->width || (*matte)->height != (*truth)->height)
        return vsm_fail(VSM_E_INPUT, "%s has %dx%d pixels, %s has %dx%d", options->matte_path,
                        (*matte)->width, (*matte)->height, options->truth_path, (*truth)->width,
                        (*truth)->height);
    return VSM_OK;
}

static int compare(const struct options *options, struct vsm_picture_source *mattes,
                   struct vsm_picture_source *truths, struct track tracks[2])
{
    float *grey = NULL;
    int status = VSM_OK;

    for (long n = 0; status == VSM_OK; n++) {
        struct vsm_image *matte = NULL, *truth = NULL;

        status = next_pair(options, mattes, truths, &matte, &truth, n);
        if (status == VSM_OK && !grey &&
            !(grey =
                  vsm_mem_alloc_raw("picture", (size_t)matte->width * (size_t)matte->height, sizeof(*grey))))
            status = VSM_E_NOMEM;
        if (status == VSM_OK)
            status = add_pair(options, matte, truth, grey, tracks);
        vsm_image_unref(&matte);
        vsm_image_unref(&truth);
    }
    vsm_mem_free(grey);
    return status == VSM_EOF ? VSM_OK : status;
}

static int evaluate(const struct options *options)
{
    struct vsm_picture_source *mattes = NULL, *truths = NULL;
    struct track tracks[2] = {0};
    int status = vsm_picture_source_open(options->matte_path, &mattes);

    if (status == VSM_OK)
        status = vsm_picture_source_open(options->truth_path, &truths);
    if (status == VSM_OK)
        status = compare(options, mattes, truths, tracks);
    if (status == VSM_OK && tracks[0].difference) {
        print_difference(tracks[0].difference, tracks[0].count);
    } else if (status == VSM_OK && tracks[0].count > 0) {
        print_mean(&tracks[0], options->name, options->eyes ? " left" : "");
        if (options->eyes)
            print_mean(&tracks[1], options->name, " right");
    }
    vsm_picture_source_close(mattes);
    vsm_picture_source_close(truths);
    track_free(&tracks[0]);
    track_free(&tracks[1]);
    return status;
}

static void print_header(void)
{
    printf("| sequence | pictures | J | lowest J | F | SAD/10^3 | MSE*10^3 | Grad/10^3 | Conn/10^3 | "
           "dtSSD*10^2 |\n"
           "|---|---|---|---|---|---|---|---|---|---|\n");
}

int main(int argc, char **argv)
{
    static const struct option known[] = {{"name", required_argument, NULL, 'n'},
                                          {"header", no_argument, NULL, 'h'},
                                          {"per-frame", no_argument, NULL, 'p'},
                                          {"eyes", no_argument, NULL, 'e'},
                                          {"brief", no_argument, NULL, 'b'},
                                          {"difference", no_argument, NULL, 'd'},
                                          {0}};
    struct options options = {.name = "sequence"};
    bool header = false;
    int status, letter;

    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'n')
            options.name = optarg;
        else if (letter == 'h')
            header = true;
        else if (letter == 'p')
            options.per_frame = true;
        else if (letter == 'e')
            options.eyes = true;
        else if (letter == 'b')
            options.brief = true;
        else if (letter == 'd')
            options.difference = true;
        else
            return VSM_EXIT_USAGE;
    }
    if (options.difference)
        options.eyes = false;
    if (header)
        print_header();
    if (header && optind == argc)
        return VSM_EXIT_OK;
    if (argc - optind != 2) {
        fprintf(stderr,
                "usage: evaluate [--name NAME] [--header] [--per-frame] [--eyes] [--brief] MATTE TRUTH\n"
                "       evaluate --difference MATTE OTHER\n");
        return VSM_EXIT_USAGE;
    }
    options.matte_path = argv[optind];
    options.truth_path = argv[optind + 1];
    status = evaluate(&options);
    if (status != VSM_OK)
        fprintf(stderr, "evaluate: %s\n", vsm_error_message());
    return (int)vsm_status_exit_code(status);
}
