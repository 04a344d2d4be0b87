from misc.view.gallery import choose_images

IDS = [f"image{n:02}" for n in range(40)]
SCORES = {image_id: n / 40 for n, image_id in enumerate(IDS)}


def chosen(classes, count, scores=SCORES):
    return choose_images(IDS, classes, scores, count)


def test_every_class_the_worst_and_the_best_are_shown():
    classes = {image_id: [n % 20] for n, image_id in enumerate(IDS)}
    images = chosen(classes, 24)
    assert len(images) == 24
    assert {classes[image_id][0] for image_id in images} == set(range(20))
    assert [i for i, why in images.items() if why == "among the worst"] == IDS[:4]
    assert [i for i, why in images.items() if why == "among the best"] == IDS[:-5:-1]


def test_fewer_images_than_asked_are_all_shown_once():
    classes = {image_id: [0] for image_id in IDS}
    assert sorted(chosen(classes, 100)) == IDS
    assert len(chosen(classes, 1)) == 1


def test_an_image_whose_score_is_not_known_is_neither_worst_nor_best():
    images = chosen({i: [0] for i in IDS}, 6, scores={**SCORES, IDS[0]: None})
    assert images.get(IDS[1]) == "among the worst"
