/* How a job's threads are divided among its encoders. */
#include "app/encoder_shares.h"

#include "media/video_encoder.h"
#include "tap.h"

struct wish {
    const char *codec;
    int width, height;
};

static void divide(const struct wish *wishes, int count, int threads, struct vsm_encoder_share *shares)
{
    for (int i = 0; i < count; i++)
        shares[i] = (struct vsm_encoder_share){
            .work = (double)wishes[i].width * wishes[i].height * vsm_video_encoder_cost(wishes[i].codec),
            .most = vsm_video_encoder_most_threads(wishes[i].codec, wishes[i].width, wishes[i].height)};
    vsm_encoder_shares_divide(shares, count, threads);
}

static void test_two_cores(void)
{
    const struct wish wishes[] = {{"libx265", 8192, 4096}, {"libx264", 2048, 1024}, {"ffv1", 2048, 1024}};
    struct vsm_encoder_share shares[3];

    divide(wishes, 1, 2, shares);
    CHECK_INT(shares[0].threads, 2);
    for (int count = 2; count <= 3; count++) {
        divide(wishes, count, 2, shares);
        for (int i = 0; i < count; i++)
            CHECK_INT(shares[i].threads, 1);
    }
}

static void test_sixteen_cores(void)
{
    const struct wish alike[] = {{"libx265", 8192, 4096}, {"libx265", 8192, 4096}, {"libx265", 8192, 4096}};
    const struct wish sizes[] = {{"libx265", 8192, 4096}, {"libx265", 4096, 2048}};
    const struct wish codecs[] = {{"libx265", 4096, 2048}, {"libx264", 4096, 2048}};
    struct vsm_encoder_share shares[3];

    divide(alike, 3, 16, shares);
    CHECK_INT(shares[0].threads, 6);
    CHECK_INT(shares[1].threads, 5);
    CHECK_INT(shares[2].threads, 5);
    divide(sizes, 2, 16, shares); /* four times the pixels */
    CHECK_INT(shares[0].threads, 13);
    CHECK_INT(shares[1].threads, 3);
    divide(codecs, 2, 16, shares); /* three times the work a pixel */
    CHECK_INT(shares[0].threads, 12);
    CHECK_INT(shares[1].threads, 4);
}

/* What one cannot use goes to the others. */
static void test_limits(void)
{
    const struct wish wishes[] = {{"exr", 8192, 4096}, {"libx265", 8192, 4096}};
    const struct wish small[] = {{"libx264", 128, 64}, {"png", 128, 64}};
    struct vsm_encoder_share shares[2];

    divide(wishes, 2, 16, shares);
    CHECK_INT(shares[0].threads, 1);
    CHECK_INT(shares[1].threads, 15);
    divide(small, 2, 64, shares);
    CHECK_INT(shares[0].threads, 1);
    CHECK_INT(shares[1].threads, VSM_VIDEO_ENCODER_MAX_AUTO_THREADS);
    CHECK(vsm_video_encoder_most_threads("png", 8192, 4096) <
          vsm_video_encoder_most_threads("png", 2048, 1024));
    CHECK_INT(vsm_video_encoder_most_threads("libvpx-vp9", 16, 16), 1);
    CHECK(vsm_video_encoder_cost("no such codec") > 0);
}

static void test_sum(void)
{
    const char *const codecs[] = {"libx264", "libx265", "ffv1", "prores_ks", "libvpx-vp9", "png"};
    struct vsm_encoder_share shares[6];
    struct wish wishes[6];

    for (int threads = 1; threads <= 40; threads++)
        for (int count = 1; count <= 6; count++) {
            int sum = 0;

            for (int i = 0; i < count; i++)
                wishes[i] = (struct wish){codecs[i], 1024 << i % 3, 512 << i % 3};
            divide(wishes, count, threads, shares);
            for (int i = 0; i < count; i++) {
                CHECK(shares[i].threads >= 1 && shares[i].threads <= shares[i].most);
                sum += shares[i].threads;
            }
            CHECK(sum <= (threads > count ? threads : count));
        }
}

int main(void)
{
    RUN(test_two_cores);
    RUN(test_sixteen_cores);
    RUN(test_limits);
    RUN(test_sum);
    return tap_done();
}
