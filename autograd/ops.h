#pragma once
// The functional API: every operation that the graph knows, on one page. Arguments on one Exec, of one element type.
// All are differentiable to any order unless said otherwise. Shapes must match exactly: broadcasting is explicit.

#include <span>
#include <vector>

#include "autograd/grad.h"
#include "autograd/var.h"

namespace pgad {

// Elementwise.
Var add(const Var& x, const Var& y);                        // x + y
Var sub(const Var& x, const Var& y);                        // x - y
Var axpby(const Var& x, const Var& y, double a, double b);  // a x + b y
Var mul(const Var& x, const Var& y);                        // x y
Var affine(const Var& x, double a, double b);               // a x + b
Var scale(const Var& x, double a);                          // a x
Var abs(const Var& x);                                      // derivative sign(x), 0 at 0
Var sign(const Var& x);                                     // derivative 0
Var square(const Var& x);
Var sqrt(const Var& x);
Var reciprocal(const Var& x);
Var sigmoid(const Var& x);
Var softplus(const Var& x);
Var constant(Exec& exec, double value);         // [1]
Var constant_like(const Var& x, double value);  // x's shape, filled; no derivative
Var reshape(const Var& x, const Shape& shape);
// (c0 + c1 t) x and (1 - t) a + t b; t is a [1] constant, e.g. the fade's weight: no derivative in t (throws Error).
Var scale_by(const Var& x, const Var& t, double c0, double c1);
Var fade(const Var& a, const Var& b, const Var& t);

// Sums to a shape of the same rank whose sizes are x's or 1 (times alpha), and its adjoint.
Var sum_to(const Var& x, const Shape& shape, double alpha = 1);
Var broadcast_to(const Var& x, const Shape& shape, double alpha = 1);
Var sum(const Var& x, double alpha = 1);             // -> [1]
Var mean(const Var& x);                              // -> [1]
Var sum_per_sample(const Var& x, double alpha = 1);  // [n, ...] -> [n]

// Linear maps; alpha multiplies the result (the equalized learning rate's factor).
Var matmul(const Var& a, const Var& b, bool ta = false, bool tb = false, double alpha = 1);  // op(a)[m,k] op(b)[k,n]
Var conv2d(const Var& x, const Var& w, double alpha = 1);  // x [n,h,w,ci], w [co,k,k,ci], k odd, same padding
Var conv2d_bias_act(const Var& x, const Var& w, const Var& b, double alpha, double slope);  // bias_act(conv2d(x, w), b)
// A generator's layers: pixelnorm(conv2d_bias_act(x)) and the same of upsample2x(x), without the maps between them.
Var conv2d_bias_act_pixelnorm(const Var& x, const Var& w, const Var& b, double alpha, double slope);
Var upsample2x_conv2d_bias_act_pixelnorm(const Var& x, const Var& w, const Var& b, double alpha, double slope);
Var conv2d_dgrad(const Var& dy, const Var& w, double alpha = 1);                  // -> [n,h,w,ci]
Var conv2d_wgrad(const Var& x, const Var& dy, std::int64_t k, double alpha = 1);  // -> [co,k,k,ci]

// Feature maps, NHWC.
Var upsample2x(const Var& x, double alpha = 1);           // nearest neighbour
Var sum_pool2x(const Var& x, double alpha = 1);           // alpha = .25: average pooling
Var bias_act(const Var& x, const Var& b, double slope);   // leaky ReLU of x[..., c] + b[c]; slope 1: linear
Var act_grad(const Var& dy, const Var& y, double slope);  // dy where y > 0, slope dy elsewhere
Var pixelnorm(const Var& x);                              // over the last dimension
Var minibatch_stddev(const Var& x, std::int64_t groups);  // [n,h,w,c] -> [groups]; sample n in group n mod groups
Var append_map(const Var& x, const Var& s);               // [n,h,w,c], [m] -> [n,h,w,c+1]
Var drop_map(const Var& y);                               // [n,h,w,c+1] -> [n,h,w,c]
Var sum_map(const Var& y, std::int64_t groups);           // [n,h,w,c+1] -> [groups], sums of the last map

}  // namespace pgad
