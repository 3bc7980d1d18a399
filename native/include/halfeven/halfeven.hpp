// halfeven for boards: header-only C++17, nothing but the standard library, no heap, no exceptions, no globals.
//
// Every function gives the bits that docs/math defines, under any floating-point mode and compiler flag.
// SPDX-License-Identifier: Apache-2.0
#ifndef HALFEVEN_HALFEVEN_HPP_
#define HALFEVEN_HALFEVEN_HPP_

#include "affine.hpp"
#include "hbdnn.hpp"
#include "multiplier.hpp"
#include "nonlinear.hpp"
#include "profile.hpp"
#include "requantize.hpp"
#include "rounding.hpp"
#include "tensor.hpp"

#endif  // HALFEVEN_HALFEVEN_HPP_
