"""Mistakes in the walk through the graph."""

from ..mutation import mistakes

MUTANTS = [
    *mistakes(
        "autograd:_is_ours_alone",
        ("gradient that others hold changed in place", "== _ALONE", "is not None"),
        tests=[
            "test_sum_in_place:test_gradient_that_a_hook_keeps_is_not_changed",
            "test_sum_in_place:test_gradient_of_both_terms_of_a_sum_is_not_changed",
        ],
    ),
    *mistakes(
        "ops.convolution:Conv2d.backward",
        ("sum so far forgotten", "so_far = self.take_sum()", "so_far = self.take_sum() and None"),
        tests=["test_sum_in_place:test_inception_module_adds_in_place"],
    ),
    *mistakes(
        "autograd:_visit",
        (
            "gradient not accumulated for a shared parameter",
            "watched(origin, _sum, grads[origin], input_grad) if origin in grads else input_grad",
            "input_grad",
        ),
        tests=["composition.test_laws:test_the_gradient_of_a_shared_leaf_is_the_sum_over_its_uses"],
    ),
    *mistakes(
        "autograd:_visit",
        ("nodes run before all gradients have arrived", "waiting[origin] == 0", "True"),
        tests=["composition.test_visits:test_every_node_runs_once_and_after_all_its_consumers"],
    ),
    *mistakes(
        "autograd:_visit",
        ("saved arrays kept after backward", "if not retain_graph", "if False"),
        tests=["composition.test_memory:test_backward_frees_what_the_graph_saved"],
    ),
    *mistakes(
        "tensor:Tensor._accumulate_grad",
        ("second backward overwrites the gradient", "self.grad._array[...] += grad", "self.grad._array[...] = grad"),
        tests=["composition.test_laws:test_gradients_accumulate_over_backward_calls"],
    ),
    *mistakes(
        "tensor:Tensor.detach",
        ("detach does not detach", "Tensor._wrap(self._array, self._counter)", "self"),
        tests=["composition.test_laws:test_a_detached_branch_contributes_nothing"],
    ),
    *mistakes(
        "autograd:is_grad_enabled",
        ("no_grad ignored", "_modes.get()[-1]", "True"),
        tests=["test_grad_mode:test_threads_do_not_disturb_each_other"],
    ),
    *mistakes(
        "autograd:Function.run_backward",
        ("changes of saved arrays go unnoticed", "counter.value != version", "False"),
        tests=["test_in_place:test_changed_weights_and_images_are_noticed"],
    ),
]
