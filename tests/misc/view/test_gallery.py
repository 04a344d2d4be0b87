from misc.view.gallery import choose_images

IDS = [f"image{n:02}" for n in range(40)]
SCORES = {image_id: n / 40 for n, image_id in enumerate(IDS)}


def test_the_worst_the_best_and_some_of_the_whole_list_are_shown():
    images = choose_images(IDS, {**SCORES, IDS[0]: None}, 12)
    assert len(images) == 12
    assert list(images)[:4] == [IDS[1], IDS[2], IDS[39], IDS[38]]
    assert images[IDS[39]] == "among the best, IoU 0.975"
    others = [IDS.index(image_id) for image_id in list(images)[4:]]
    assert others[0] == 0
    assert others[-1] >= 28


def test_fewer_images_than_asked_are_all_shown_once():
    assert sorted(choose_images(IDS, SCORES, 100)) == IDS
    assert list(choose_images(IDS, {}, 1)) == IDS[:1]
